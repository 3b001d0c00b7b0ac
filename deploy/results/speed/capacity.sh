#!/usr/bin/env bash
# Measures what one learner takes and what it costs to publish, then writes capacity.md. About ten
# minutes, on a machine that does nothing else. From the top of the repository:
#     deploy/results/speed/capacity.sh
# The rates of an arena, and what is only assumed, stand in capacity.toml; after a change there
#     python -m ssd_lab.load.capacity deploy/results/speed
# alone writes the page anew.
set -euo pipefail
export PATH="$PWD/.venv/bin:$PATH"
here=$(dirname "$0")
preset=${PRESET:-cleanup-moa}
windows=(--seconds "${SECONDS_EACH:-10}" --repeats "${REPEATS:-3}")
load=(python -m ssd_lab.load.cli --preset "$preset" "${windows[@]}")
"${load[@]}" --actors 1,2,5,10,20 --json "$here/load.json"
"${load[@]}" --actors 1,2,5,10,20 --ingest-only --json "$here/ingest.json"
"${load[@]}" --actors 1,2,4,6 --rate 5000 --json "$here/paced.json"
python -m ssd_lab.load.fanout --preset "$preset" --subscribers 1,5,20,100 --json "$here/fanout.json"
python -m ssd_lab.load.capacity "$here"
