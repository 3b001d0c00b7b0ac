#!/usr/bin/env bash
# Harvest by PPO and by V-trace, three seeds each, and the models of others. The runs of
# harvest-baseline and harvest-moa took one core each: 18 to 28 and 10 to 13 minutes. Those of
# harvest-a3c took 3 minutes each on an H200 with 16 cores (--device cuda).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runs=${1:-runs/harvest}

for seed in 11 12 13; do
  ssd-train harvest-baseline --seed $seed --steps 20000000 --run-dir "$runs/harvest-baseline-$seed"
  ssd-train harvest-a3c --seed $seed --steps 20000000 --device cuda --run-dir "$runs/harvest-a3c-$seed"
done
python -m ssd_lab.plots.curves "$runs"/*/ --every 100 --reference 319 --csv "$here/curves.csv" --png "$here/curves.png"

for seed in 11 12 13; do
  ssd-train harvest-a3c --seed $seed --steps 5000000 --run-dir "$runs-one-core/harvest-a3c-$seed"
  ssd-train harvest-moa --seed $seed --steps 5000000 --run-dir "$runs-moa/harvest-moa-$seed"
done
python -m ssd_lab.plots.curves "$runs-moa"/*/ --every 50 --csv "$here/moa.csv"
python "$here/best.py" "$runs"/*/ "$runs-one-core"/*/ "$runs-moa"/*/

# Harvest by the defaults of [learning], which are Cleanup's (defaults.csv): on the GPU, --arenas 2.
defaults=(--set learning.reward_clip=1 --set learning.horizon=500 --set learning.minibatch=4000
  --set learning.passes=3 --set learning.moa_passes=3 --set learning.normalise_values=true
  --set learning.value_gradient_limit=1)
for seed in 11 12 13; do
  ssd-train harvest-baseline --seed $seed --steps 20000000 --arenas 2 --device cuda \
    "${defaults[@]}" --run-dir "$runs-defaults/harvest-baseline-$seed"
done
python -m ssd_lab.plots.curves "$runs-defaults"/*/ --every 100 --csv "$here/defaults.csv"
