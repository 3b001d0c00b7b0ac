"""Memory, file descriptors and threads of every process of a run, over time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import psutil
from matplotlib.figure import Figure
from tests.chaos.faults import FORK_SERVER
from tests.chaos.recorded_run import LAUNCHER, ROLES, RecordedRun

from ssd_run.progress.scraper import fetch

COUNTERS = {
    "learner": "ssd_learner_own_steps",
    "env": "ssd_env_ticks_total",
    "actor": "ssd_actor_agent_steps_total",
}


@dataclass(frozen=True)
class Sample:
    """One process at one moment.

    Attributes:
        seconds: Since the run was up.
        role, pid: Of the process.
        rss_mib: Resident memory; pages shared with the fork server count for each process.
        descriptors, threads: Their numbers.
        steps: Own-steps of a learner, ticks of an environment, agent-steps of an actor; else -1.
    """

    seconds: int
    role: str
    pid: int
    rss_mib: float
    descriptors: int
    threads: int
    steps: int


def samples(run: RecordedRun, seconds: float) -> Iterator[Sample]:
    """All processes that are up now."""
    for role in (LAUNCHER, FORK_SERVER, *ROLES):
        pid = run.pid(role)
        if pid is not None:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                rss = round(process.memory_info().rss / 2**20, 1)
                counts = process.num_fds(), process.num_threads()
                yield Sample(int(seconds), role, pid, rss, *counts, _steps(run, role))


def _steps(run: RecordedRun, role: str) -> int:
    counter = COUNTERS.get(role.partition("-")[0])
    if counter is not None:
        with suppress(OSError, ValueError, KeyError):
            return int(fetch(run.entry(role)["metrics"])[counter])
    return -1


def write_csv(path: Path, rows: list[Sample]) -> None:
    """One line for each sample."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Sample)])
        writer.writerows(map(astuple, rows))


def report(rows: list[Sample]) -> Iterator[str]:
    """For each role its first and its last sample, restarts included."""
    for role in dict.fromkeys(row.role for row in rows):
        first, *_, last = [row for row in rows if row.role == role] * 2
        pids = len({row.pid for row in rows if row.role == role})
        yield (
            f"{role:12} {first.rss_mib:6.0f} → {last.rss_mib:6.0f} MiB, "
            f"{first.descriptors:3} → {last.descriptors:3} descriptors, "
            f"{first.threads:2} → {last.threads:2} threads, {pids} processes"
        )


def draw(path: Path, rows: list[Sample]) -> None:
    """A figure of memory, file descriptors and steps over time: one line for each process."""
    figure = Figure(figsize=(8, 9), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    quantities = (
        ("resident memory, MiB", "rss_mib"),
        ("file descriptors", "descriptors"),
        ("steps of the process", "steps"),
    )
    kinds = list(dict.fromkeys(row.role.partition("-")[0] for row in rows))
    for panel, (label, name) in zip(panels, quantities, strict=True):
        for pid in dict.fromkeys(row.pid for row in rows):
            of_pid = [row for row in rows if row.pid == pid and getattr(row, name) >= 0]
            kind = next(row.role for row in rows if row.pid == pid).partition("-")[0]
            minutes = [row.seconds / 60 for row in of_pid]
            values = [getattr(row, name) for row in of_pid]
            panel.plot(minutes, values, color=f"C{kinds.index(kind)}", linewidth=1)
        panel.set_ylabel(label)
        panel.set_ylim(bottom=0)
    for index, kind in enumerate(kinds):
        panels[0].plot([], [], color=f"C{index}", label={"fork": "fork server"}.get(kind, kind))
    panels[0].legend(ncols=len(kinds), fontsize="small", loc="lower right")
    panels[-1].set_xlabel("minutes")
    figure.savefig(path, dpi=100)
