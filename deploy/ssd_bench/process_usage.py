"""What the processes of a run take: memory and processor time, by psutil."""

from __future__ import annotations

from contextlib import suppress

import psutil


def memory(pid: int) -> int:
    """Bytes that a process and all its descendants take: shared pages are shared out (PSS)."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += one.memory_full_info().pss
    return total


def cpu_seconds(pid: int) -> float:
    """Time that a process has computed, its system calls included; 0 when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
