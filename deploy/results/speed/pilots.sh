#!/usr/bin/env bash
# The pilot runs by which the lanes of the V-trace presets were chosen, one seed each, and the scheduling
# that was tried: about twenty minutes on two cores; each run prints its summary. From the top of the repository:
#     deploy/results/speed/pilots.sh
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
pilot() { # lanes, games, window, segments taken at once, games per update
    ssd-train harvest-moa-paper --steps 2000000 --seed 1 --run-dir "runs/pilots/$1x$2-$3-$5" \
        --set learning.lr_anneal=2e7 --set run.lanes="$1" --set run.games="$2" --set run.window="$3" \
        --set learning.batch_segments="$4" --set learning.update_games="$5"
}
pilot 2 16 2 4 64
pilot 1 96 1 1 24
pilot 1 64 1 1 16
pilot 2 64 1 1 64
pilot 2 64 1 1 32
pilot 2 64 1 1 16
pilot 1 128 1 1 16
pilot 2 128 2 1 32
two=(ssd-bench --only nothing --preset cleanup-moa-paper --preset cleanup-a3c --runs 1 --seconds 15 --warmup 6
    --set run.lanes=2 --set run.games=64 --set run.window=2 --set learning.update_games=32)
"${two[@]}"
chrt --batch 0 "${two[@]}"
