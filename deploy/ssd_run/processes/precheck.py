"""Checks before a run is created that need torch: devices, and the user's own modules."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ssd_run.processes.process_files import TAIL_LINES
from ssd_run.processes.spawner import ONE_THREAD, PRELOAD
from ssd_run.run_config import RunConfig
from ssd_wire.errors import RunFileError
from ssd_wire.process.command import CONFIGURATION_ERROR


def check(config: RunConfig, devices: Sequence[str]) -> None:
    """Import the user's own modules and look for the devices, in a separate process.

    This takes seconds, so it is done only where the run file names own modules or devices other
    than the CPU. The launcher itself does not import torch.

    Raises:
        RunFileError: naming what cannot be imported, or the missing device.
    """
    if set(devices) == {"cpu"} and not _names_own_modules(config):
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
        raise RunFileError(f"the modules that the run file names cannot be loaded:\n{tail}")


def _names_own_modules(config: RunConfig) -> bool:
    return any(
        ":" in name for name in (config.game.name, config.network.kind, config.experiment.influence)
    )
