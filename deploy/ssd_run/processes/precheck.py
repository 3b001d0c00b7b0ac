"""Refuses what cannot work before a run is begun, where only torch or kernels can tell."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ssd_run.processes.spawner import ONE_THREAD, PRELOAD, TAIL_LINES
from ssd_run.run_config import RunConfig
from ssd_wire.errors import RunFileError
from ssd_wire.process import CONFIGURATION_ERROR


def check(config: RunConfig, devices: Sequence[str]) -> None:
    """Load what is the user's own and look for the devices, in a process of its own.

    It takes seconds, so it is done only where there is something to find out: this process stays
    light, and what is ours alone can be loaded.

    Raises:
        RunFileError: naming what cannot be loaded, or which device is not there.
    """
    if set(devices) == {"cpu"} and not _names_own(config):
        return
    with tempfile.TemporaryDirectory(prefix="ssd-") as folder:
        run_file = Path(folder) / "run.toml"
        run_file.write_text(config.toml(), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", PRELOAD, str(run_file), *devices],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **ONE_THREAD},
        )
    if done.returncode == CONFIGURATION_ERROR:
        raise RunFileError(done.stderr.strip().removeprefix("error: "))
    if done.returncode != 0:
        tail = "\n".join(done.stderr.splitlines()[-TAIL_LINES:])
        raise RunFileError(f"what the run file names cannot be loaded:\n{tail}")


def _names_own(config: RunConfig) -> bool:
    return any(
        ":" in name for name in (config.game.name, config.network.kind, config.experiment.influence)
    )
