#!/usr/bin/env bash
# The parts and the whole runs of this page: about half an hour on a machine that does nothing else. From the top of the repository, after `make train STEPS=1000`:
#     deploy/results/speed/run.sh
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
here=$(dirname "$0")
ssd-bench --json "$here/parts.json"
ssd-bench --preset cleanup-moa-paper --preset cleanup-a3c --preset harvest-moa-paper --preset harvest-a3c \
    --runs 5 --seconds 14 --warmup 5 --json "$here/whole.json"
