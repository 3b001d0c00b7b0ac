#!/usr/bin/env bash
# The runs of "One setting at a time", "Batches and arenas" and "Several arenas" in README.md:
# `settings.sh NAME SEED` makes one of them, in runs/settings/NAME-SEED, from the commit named beside it.
# Those of the page were pinned to one core each by taskset, two at a time. games24-13, arenas2-11,
# not-clipped-11, not-clipped-13, window2-13 and arenas2-games24-clip were stopped before the end.
set -euo pipefail

name=$1 seed=$2
train() { # COMMIT STEPS SETTINGS…
    echo "commit $1" >&2
    exec ssd-train cleanup-baseline --seed "$seed" --steps "$2" \
        --run-dir "runs/settings/$name-$seed" "${@:3}"
}

case $name in
no-decay) train 791863c 25000000 --set learning.weight_decay=0 ;;
no-critic) train e8e2344 25000000 \
    --set learning.normalise_values=false --set learning.value_coefficient=0.0001 ;;
not-clipped) train e8e2344 25000000 --set learning.reward_clip=inf ;; # in [experiment] since 8fa582d
window2) train e8e2344 25000000 --set run.window=2 ;;
games24) train c8e403d 25000000 --set run.games=24 ;;
arenas2-games24) train c8e403d 25000000 --arenas 2 --set run.games=24 ;;
arenas2-games24-shares) train e8e2344 25000000 --arenas 2 --set run.games=24 ;;
arenas2-games24-clip)
    train 7702504 25000000 --arenas 2 --set run.games=24 --set learning.clip_around=current ;;
arenas2) train c8e403d 40000000 --arenas 2 ;;
arenas2-shares) train 7702504 25000000 --arenas 2 --set learning.clip_around=current ;;
arenas2-games24-waiting) train a3b7c57 25000000 --arenas 2 --set run.games=24 ;;
arenas2-waiting) train 78144fc 25000000 --arenas 2 ;;
*) echo "no such run: $name" >&2; exit 2 ;;
esac
