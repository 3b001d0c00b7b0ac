"""A run's processes as Linux knows them: who they are, what they take, and where they run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
TICK = os.sysconf("SC_CLK_TCK")  # clock ticks per second

Placing = Callable[[str, Sequence[int]], Sequence[int]]  # role, all cores → this role's cores


def family(pid: int) -> list[int]:
    """A process and all its descendants that live."""
    children = defaultdict(list)
    for entry in PROC.glob("[0-9]*/stat"):
        if (fields := _stat(entry)) is not None:
            children[int(fields[1])].append(int(entry.parent.name))
    found = [pid]
    for one in found:  # which grows while it is walked
        found += children[one]
    return found


def memory(pids: Sequence[int]) -> int:
    """Bytes of memory that processes take together: shared pages are shared out (PSS)."""
    return 1024 * sum(kilobytes for pid in pids for kilobytes in _pss(pid))


def cpu_seconds(pid: int) -> float | None:
    """Time that a process has computed, its system calls included; None when it is gone."""
    fields = _stat(PROC / str(pid) / "stat")
    return None if fields is None else (int(fields[11]) + int(fields[12])) / TICK


def pin(roles: Mapping[str, int], place: Placing) -> None:
    """Keep all threads of each process on its cores.

    Args:
        roles: Role → pid.
        place: Tells the cores of a role.
    """
    cores = sorted(os.sched_getaffinity(0))
    for role, pid in roles.items():
        for task in (PROC / str(pid) / "task").iterdir():
            with suppress(ProcessLookupError):  # a thread that has just ended
                os.sched_setaffinity(int(task.name), place(role, cores))


def split(role: str, cores: Sequence[int]) -> Sequence[int]:
    """Worlds and actors on the first half of the cores, learners on the others."""
    half = max(1, len(cores) // 2)
    match role.partition("-")[0]:
        case "env" | "actor":
            return cores[:half]
        case "learner":
            return cores[half:] or cores
    return cores


def agents(role: str, cores: Sequence[int]) -> Sequence[int]:
    """Everything of one agent on one core, agents in turn; the rest anywhere."""
    if not role.startswith(("actor-", "learner-")):
        return cores
    agent = int(role.rpartition("-")[2])
    return [cores[agent % len(cores)]]


PLACINGS: Mapping[str, Placing] = {"split": split, "agents": agents}


def _stat(path: Path) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on, which is its third; None without it."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _pss(pid: int) -> Iterator[int]:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return  # gone meanwhile
    yield from (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
