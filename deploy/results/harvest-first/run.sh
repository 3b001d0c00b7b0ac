#!/usr/bin/env bash
# Four runs of a quarter of an hour each on two cores, one after the other; then their curves.
# From the top of the repository, after `make train STEPS=1000` has set things up:
#     deploy/results/harvest-first/run.sh
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
runs=runs/harvest-first
small=(--set run.games=16 --set run.lanes=2 --set run.window=2 --set learning.batch_segments=4 --set learning.update_games=64)
for seed in 1 2; do
    for preset in harvest-moa harvest-a3c; do
        timeout --foreground --signal=INT 900 ssd-train "$preset" --seed "$seed" "${small[@]}" --run-dir "$runs/$preset-$seed" ||
            test $? = 124 # the quarter of an hour is over
    done
done
here=$(dirname "$0")
python -m ssd_lab.plots.curves "$runs"/*/ --reference 319 --csv "$here/curves.csv" --png "$here/curves.png"
