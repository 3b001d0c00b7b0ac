"""The machine, libraries and commit that a result was measured with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

LIBRARIES = ("numba", "numpy", "pyzmq", "torch")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def facts() -> dict[str, Any]:
    """All of them; the load average shows what else the machine was doing."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d %H:%M:%S%z"),
    }


def _cpu() -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return model[1] if model else platform.machine()


def _commit() -> str | None:
    """The commit of the checkout, with a + where files have changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or None
