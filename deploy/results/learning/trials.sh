#!/usr/bin/env bash
# The trials of README.md: `trials.sh NAME` runs one of them, in runs/trials/NAME, from the commit
# named beside it (defaults have changed since). Each was stopped with Ctrl-C.
set -euo pipefail

train() { # COMMIT PRESET SEED STEPS SETTINGS…
    echo "commit $1" >&2
    exec ssd-train "$2" --seed "$3" --steps "$4" --run-dir "runs/trials/$trial" \
        --set learning.matmul_dtype=bfloat16 --set run.segment=100 --set learning.chunk=50 \
        --set learning.horizon=1000 --set learning.lr_anneal=2e7 "${@:5}"
}

trial=$1
case $trial in
A2) train 02af6c8 cleanup-a3c 2 60000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0001 --set run.games=96 --set \
    learning.minibatch=24000 --set learning.passes=8 --set learning.entropy=0.00176 ;;
B2) train 02af6c8 cleanup-a3c 2 60000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0001 --set run.games=48 --set \
    learning.minibatch=12000 --set learning.passes=5 --set learning.entropy=0.01 ;;
E2) train c971a6b cleanup-a3c 2 200000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0002 --set learning.lr_init=0.002 \
    --set learning.passes=3 --set learning.entropy=0.001 --set run.games=96 --set \
    learning.minibatch=6000 ;;
F2) train c971a6b cleanup-a3c 2 200000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0002 --set learning.lr_init=0.002 \
    --set learning.passes=3 --set learning.entropy=0.001 --set run.games=192 --set \
    learning.horizon=100 --set learning.minibatch=4800 ;;
G2) train c971a6b cleanup-a3c 2 200000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0002 --set learning.lr_init=0.002 \
    --set learning.passes=3 --set learning.entropy=0.001 --set run.games=192 --set \
    learning.minibatch=8000 ;;
H2) train c971a6b cleanup-a3c 2 200000000 \
    --set learning.lr_end=0.000012 --set learning.chunk=100 --set learning.passes=8 --set \
    run.games=192 --set learning.horizon=100 --set learning.minibatch=19200 --set \
    learning.value_coefficient=0.0001 --set learning.normalise_values=false ;;
P2) train c971a6b cleanup-a3c 2 300000000 \
    --set learning.lr_end=0.0001 --set learning.passes=4 --set run.games=96 --set \
    learning.minibatch=9600 --set learning.value_coefficient=0.0001 --set \
    learning.normalise_values=false ;;
Q2) train c971a6b cleanup-a3c 2 300000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0002 --set learning.lr_init=0.002 \
    --set learning.passes=3 --set run.games=96 --set learning.minibatch=6000 --set \
    learning.entropy=0.05 ;;
R2) train c971a6b cleanup-a3c 2 300000000 \
    --set learning.reward_clip=1 --set learning.lr_end=0.0003 --set learning.lr_init=0.002 \
    --set learning.passes=3 --set learning.entropy=0.001 --set learning.lr_anneal=4e7 --set \
    run.games=96 --set learning.horizon=500 --set learning.minibatch=3000 ;;
T2) train d4b6b8b cleanup-baseline 2 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.lr_init=0.002 --set learning.reward_clip=10 ;;
U2) train d4b6b8b cleanup-baseline 2 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.value_coefficient=0.0001 --set \
    learning.normalise_values=false ;;
V3) train db92151 cleanup-baseline 3 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.value_coefficient=0.0001 --set \
    learning.normalise_values=false ;;
W2) train 8437b04 cleanup-baseline 2 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.lr_init=0.002 --set learning.value_gradient_limit=0.3 ;;
X2) train 28a77ce cleanup-baseline 2 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.horizon=500 --set learning.reward_clip=1 ;;
Y2) train 28a77ce cleanup-baseline 2 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.horizon=500 --set learning.value_gradient_limit=0.3 ;;
Z2) train 3c021a3 cleanup-baseline 2 300000000 \
    --set run.games=48 --set learning.lr_end=0.0002 --set learning.passes=3 --set \
    learning.minibatch=4000 --set learning.horizon=500 --set learning.reward_clip=1 ;;
*) echo "no such trial: $trial" >&2; exit 2 ;;
esac
