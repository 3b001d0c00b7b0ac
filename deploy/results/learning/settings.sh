#!/usr/bin/env bash
# The runs of "Batches and arenas" in README.md: `settings.sh NAME SEED` makes one of them, in
# runs/settings/NAME-SEED, from commit c8e403d unless another is named. Those of the page were pinned
# to one core each by taskset, two at a time. games24-13 and arenas2-11 were stopped with Ctrl-C.
set -euo pipefail

name=$1 seed=$2
train() { # STEPS SETTINGS…
    exec ssd-train cleanup-baseline --seed "$seed" --steps "$1" \
        --run-dir "runs/settings/$name-$seed" "${@:2}"
}

case $name in
games24) train 25000000 --set run.games=24 ;;
arenas2-games24) train 25000000 --arenas 2 --set run.games=24 ;;
arenas2) train 40000000 --arenas 2 ;;
arenas2-shares) # from commit 7702504
    train 25000000 --arenas 2 --set learning.clip_around=current ;;
*) echo "no such run: $name" >&2; exit 2 ;;
esac
