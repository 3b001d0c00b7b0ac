"""One arena and its learners, started by hand, with each process recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from ssd_lab import rundir
from ssd_lab.bench.processes import cpu_seconds
from ssd_lab.plan import Plan
from ssd_lab.roster import Extent, Program, roster
from ssd_lab.rundir import RunDir
from ssd_lab.scrape import fetch
from ssd_lab.timeline.recording import Recording
from ssd_lab.timeline.spans import read_spans

START = 300.0  # seconds within which every learner has made an update
STOP = 60.0  # seconds within which a process has stopped
LOOK = 0.5  # seconds between looks, while it starts
TAIL = 3000  # characters of a log, where things went wrong
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
IN_ORDER = ("actor", "learner", "env")  # as they are stopped


def record(plan: Plan, folder: Path, warmup: float, seconds: float) -> Recording:
    """Run an arena until it is in its stride, and record it for a while.

    Args:
        plan: Its run file.
        folder: A short private directory, for sockets and records.
        warmup: Seconds to leave out after the last learner's first update.
        seconds: To record after that.

    Raises:
        click.ClickException: when a process ends by itself or does not stop, or when they make more
            spans in this time than are kept.
    """
    with rundir.begin(folder / "run", plan) as run_dir, _started(plan, run_dir, folder) as arena:
        arena.wait_for_first_updates()
        time.sleep(warmup)
        before, begin = arena.cpu(), time.monotonic()
        time.sleep(seconds)
        after, end = arena.cpu(), time.monotonic()
        arena.stop()
    spans = {role: read_spans(arena.spans_of(role)) for role in arena.processes}
    if late := [role for role, kept in spans.items() if not kept or kept[0].begin > begin]:
        raise click.ClickException(f"too much was recorded of {', '.join(late)}: record less")
    return Recording(begin, end, spans, {role: after[role] - before[role] for role in after})


@dataclass(frozen=True)
class Arena:
    """Processes that were started.

    Attributes:
        run_dir: Of their run.
        folder: Where their spans will be.
        processes: By role.
    """

    run_dir: RunDir
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def spans_of(self, role: str) -> Path:
        """Where a process leaves its spans."""
        return self.folder / f"{role}.spans"

    def cpu(self) -> dict[str, float]:
        """Role → seconds computed so far, in all threads."""
        self.check()
        return {role: cpu_seconds(process.pid) or 0.0 for role, process in self.processes.items()}

    def wait_for_first_updates(self) -> None:
        """Return when every learner has made one.

        Raises:
            click.ClickException: when that takes too long.
        """
        deadline = time.monotonic() + START
        waited_for = {role for role in self.processes if role.startswith("learner-")}
        while waited_for:
            if time.monotonic() > deadline:
                raise click.ClickException(f"no update of {', '.join(waited_for)} in {START:.0f} s")
            time.sleep(LOOK)
            self.check()
            waited_for = {role for role in waited_for if not self._has_updated(role)}

    def check(self) -> None:
        """Nothing, as long as all processes run.

        Raises:
            click.ClickException: when one has ended.
        """
        for role, process in self.processes.items():
            if process.poll() is not None:
                raise click.ClickException(f"{role} ended by itself; it says:\n{self._log(role)}")

    def stop(self) -> None:
        """End all, those first who have something to say to others.

        Raises:
            click.ClickException: when one does not end, or not cleanly.
        """
        for kind in IN_ORDER:
            group = {r: p for r, p in self.processes.items() if r.startswith(f"{kind}-")}
            for process in group.values():
                process.terminate()
            deadline = time.monotonic() + STOP
            for role, process in group.items():
                try:
                    code = process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    raise click.ClickException(f"{role} does not stop") from None
                if code != 0:
                    raise click.ClickException(f"{role} ended with {code}:\n{self._log(role)}")

    def _has_updated(self, role: str) -> bool:
        try:
            entry = json.loads((self.run_dir.processes / f"{role}.json").read_text())
            return fetch(entry["metrics"])["ssd_learner_updates_total"] > 0
        except OSError:  # not up yet, or too busy to answer in time
            return False

    def _log(self, role: str) -> str:
        return (self.run_dir.logs / f"{role}.log").read_text(errors="replace")[-TAIL:]


@contextmanager
def _started(plan: Plan, run_dir: RunDir, folder: Path) -> Iterator[Arena]:
    """Processes that have ended when this context has, in whatever way it ends."""
    programs = roster(Extent(plan.game.agents, arenas=1, steps=None), run_dir, folder)
    lifeline, held_open = os.pipe()
    arena = Arena(run_dir, folder)
    try:
        for program in programs:
            arena.processes[program.role] = _start(program, arena, lifeline)
        yield arena
    finally:
        os.close(lifeline)
        os.close(held_open)
        for process in arena.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


def _start(program: Program, arena: Arena, lifeline: int) -> subprocess.Popen[bytes]:
    recorded = (sys.executable, "-P", "-m", "ssd_lab.timeline.recorded")
    command = (*recorded, str(arena.spans_of(program.role)), *program.command)
    with (arena.run_dir.logs / f"{program.role}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            (*command, f"--lifeline={lifeline}"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lifeline,),
            env={**os.environ, **ONE_THREAD},
        )
