"""`ssd-train` with records: `python -m tests.chaos.evidence.recorded_train PRESET …`.

The environment variable `CHAOS_RECORDS` names the folder of the records.
"""

from functools import partial

from ssd_run import cli, launch
from ssd_run.processes.spawner import Spawner

if __name__ == "__main__":
    launch.Spawner = partial(Spawner, preload="tests.chaos.evidence.recording")
    cli.main()
