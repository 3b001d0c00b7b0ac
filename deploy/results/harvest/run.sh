#!/usr/bin/env bash
# Harvest by PPO and by V-trace, three seeds each, on one GPU; then their curves. Nine minutes for
# each kind of agent on an H200 with 16 cores that also trained cleanup-moa.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runs=${1:-runs/harvest}

for seed in 11 12 13; do
  ssd-train harvest-baseline --seed $seed --steps 20000000 --arenas 2 --device cuda --run-dir "$runs/harvest-baseline-$seed"
  ssd-train harvest-a3c --seed $seed --steps 20000000 --device cuda --run-dir "$runs/harvest-a3c-$seed"
done
python -m ssd_lab.plots.curves "$runs"/*/ --every 100 --reference 319 --csv "$here/curves.csv" --png "$here/curves.png"

for seed in 11 12 13; do
  ssd-train harvest-moa --seed $seed --steps 5000000 --run-dir "$runs-moa/harvest-moa-$seed"
done
python -m ssd_lab.plots.curves "$runs-moa"/*/ --every 50 --csv "$here/moa.csv"
