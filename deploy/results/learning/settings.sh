#!/usr/bin/env bash
# The runs of "Batches and arenas" in README.md: `settings.sh NAME SEED` makes one of them, in
# runs/settings/NAME-SEED. Those of the page were pinned to one core each, two at a time, and most
# were stopped with Ctrl-C.
set -euo pipefail

name=$1 seed=$2
train() { # SETTINGS…
    exec ssd-train cleanup-baseline --seed "$seed" --steps 25000000 \
        --run-dir "runs/settings/$name-$seed" "$@"
}

case $name in
games24) train --set run.games=24 ;;
arenas2-games24) train --arenas 2 --set run.games=24 ;;
arenas2) train --arenas 2 ;;
arenas2-shares) # from commit 7702504
    train --arenas 2 --set learning.clip_around=current ;;
*) echo "no such run: $name" >&2; exit 2 ;;
esac
