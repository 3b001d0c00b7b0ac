#!/usr/bin/env bash
# Does a fast run learn what a slow one does? Harvest with influence, 2,000,000 agent-steps, three
# seeds, with one lane of 96 games and with two of 16; then their curves. About fifteen
# minutes on two cores. From the top of the repository, after `make train STEPS=1000`:
#     deploy/results/speed/learning.sh
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
runs=runs/speed-learning
small=(--set preset.name=harvest-moa-small --set run.games=16 --set run.lanes=2 --set run.window=2 --set learning.batch_segments=4 --set learning.update_games=64)
for seed in 1 2 3; do
    both=(harvest-moa-paper --steps 2000000 --seed "$seed" --set learning.lr_anneal=2e7)
    ssd-train "${both[@]}" --run-dir "$runs/defaults-$seed"
    ssd-train "${both[@]}" "${small[@]}" --run-dir "$runs/small-$seed"
done
here=$(dirname "$0")
python -m ssd_lab.plots.curves "$runs"/*/ --reference 319 --csv "$here/learning.csv" --png "$here/learning.png"
