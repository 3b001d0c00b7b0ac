#!/usr/bin/env bash
# The runs of this page, one after the other; then their curves. On a CPU, then with a GPU (of commits
# before a3b7c57, as with --set learning.wait_for_arenas=false).
# A run that was cut off goes on with: ssd-train --resume --run-dir DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runs=${1:-runs/cleanup}

for seed in 11 12 13; do
  ssd-train cleanup-baseline --seed $seed --steps 36000000 --run-dir "$runs/cleanup-baseline-$seed"
done
ssd-train cleanup-moa --seed 11 --steps 31200000 --run-dir "$runs/cleanup-moa-11"
ssd-train cleanup-moa --seed 12 --steps 18000000 --run-dir "$runs/cleanup-moa-12"
python -m ssd_lab.plots.curves "$runs"/*/ --every 100 --reference 27 --csv "$here/curves.csv" --png "$here/curves.png"
python "$here/frames.py" "$runs/cleanup-baseline-11" "$here/frames.png"

for run in "cleanup-baseline 22 36800000" "cleanup-baseline 23 42500000" "cleanup-moa 22 42000000"; do
  set -- $run
  ssd-train "$1" --seed "$2" --steps "$3" --run-dir "$runs-more/$1-$2"
done
python -m ssd_lab.plots.curves "$runs-more"/*/ --every 100 --reference 27 --csv "$here/more-seeds.csv" --png "$here/more-seeds.png"

for run in "cleanup-baseline 21" "cleanup-baseline 22" "cleanup-moa 21"; do
  set -- $run
  ssd-train "$1" --seed "$2" --steps 100000000 --arenas 2 --device cuda --run-dir "$runs-gpu/$1-$2"
done
python -m ssd_lab.plots.curves "$runs-gpu"/*/ --every 400 --reference 27 --csv "$here/gpu.csv" --png "$here/gpu.png"
