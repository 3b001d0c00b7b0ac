#!/usr/bin/env bash
# All figures of this page but those of learning.sh and capacity.sh: about half an hour on a machine
# that does nothing else. From the top of the repository, after `make train STEPS=1000`:
#     deploy/results/speed/run.sh
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
here=$(dirname "$0")
ssd-bench --json "$here/parts.json"
ssd-bench --preset cleanup-moa --preset cleanup-a3c --preset harvest-moa --preset harvest-a3c \
    --runs 5 --seconds 14 --warmup 5 --json "$here/whole.json"
python -m ssd_lab.bench.scaling --seconds 8 --warmup 4 --csv "$here/scaling.csv" --png "$here/scaling.png"
python -m ssd_lab.timeline cleanup-moa --png "$here/tick.png" --csv "$here/tick.csv"
