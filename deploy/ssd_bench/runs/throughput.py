"""Whole runs: `ssd-train` as users start it, watched from outside once it is in its stride.

The speed is not what `ssd-train` says in its summary, which counts the minute in which a run comes
to its stride and the seconds in which it stops. It is the slope of the learners' own counters of
trained agent-steps, over a window that begins some time after every learner's first update.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ssd_influence.settings import NetworkSettings
from ssd_bench.runs.training_run import LaunchedRun, launched, own_steps_of, updates_of
from ssd_bench.runs.processes import Placing, cpu_seconds, family, memory, pin
from ssd_bench.results.rows import Row
from ssd_run.plan import Plan

LOOK = 2.0  # seconds between looks; a learner's counter grows by thousands at a time
MEMORY_EVERY = 5  # looks; asking for it walks all pages

KINDS = ("env", "actor", "learner")


@dataclass(frozen=True)
class Study:
    """What to run, and how to look at it.

    Attributes:
        preset: Name, or path of a file.
        plan: What it says, with the assignments.
        assignments: As `ssd-train --set` takes them.
        warmup: Seconds to leave out after the last learner's first update.
        seconds: To measure after that.
        place: Where processes shall run, or None for wherever Linux puts them.
        arenas: How many.
    """

    preset: str
    plan: Plan
    assignments: tuple[str, ...]
    warmup: float
    seconds: float
    place: Placing | None = None
    arenas: int = 1

    @property
    def name(self) -> str:
        """Of its row."""
        return f"whole/{self.plan.preset.name}"

    @property
    def ceiling(self) -> str | None:
        """The row that it is held against: none where its networks have other sizes."""
        kind = self._kind_of_network()
        game = self.plan.game
        usual = type(game)(name=game.name).agents
        if kind is None or self.plan.network != NetworkSettings() or game.agents != usual:
            return None
        return f"torch/{game.name}/{kind}/run"

    def _kind_of_network(self) -> str | None:
        experiment = self.plan.experiment
        if experiment.symbols or (experiment.has_moa and experiment.influence != "moa"):
            return None
        return "moa" if experiment.has_moa else "baseline"


def measure(study: Study, runs: int, say: Callable[[str], None]) -> Row:
    """So many runs from the start, one after the other.

    Raises:
        click.ClickException: when one of them does not come to its stride, or ends by itself.
    """
    figures = []
    for number in range(1, runs + 1):
        figures.append(_run(study, say))
        told = ", ".join(f"{name} {value:,.1f}" for name, value in figures[-1].items())
        say(f"{study.name}, run {number} of {runs}: {told}")
    names = [name for name in figures[0] if name != "agent-steps/s"]
    return Row(
        name=study.name,
        samples=tuple(one["agent-steps/s"] for one in figures),
        also={name: tuple(one[name] for one in figures) for name in names},
        ceiling=study.ceiling,
    )


def _run(study: Study, say: Callable[[str], None]) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="ssd-bench-", ignore_cleanup_errors=True) as folder:
        sets = [f"--set={assignment}" for assignment in study.assignments]
        command = [study.preset, *sets, f"--arenas={study.arenas}"]
        started = launched(command, Path(folder) / "run", study.plan.game.agents, say)
        with started as run:
            first_updates = run.wait_for_first_updates()
            if study.place is not None:
                pin(run.pids(), study.place)
            time.sleep(study.warmup)
            figures = _window(run, study.seconds)
        return figures | {"s to first updates": first_updates}


def _window(run: LaunchedRun, seconds: float) -> dict[str, float]:
    """Look for so long; speeds are slopes over all looks, since counters grow by leaps."""
    seen, peak = [], 0
    pids = run.pids()
    before, began = _cpu(pids), time.monotonic()
    looks = max(2, round(seconds / LOOK) + 1)
    for look in range(looks):
        time.sleep(max(0.0, began + look * seconds / (looks - 1) - time.monotonic()))
        if (said := run.learners()) is not None:
            counts = sum(map(own_steps_of, said)), sum(map(updates_of, said))
            seen.append((time.monotonic(), *counts))
        if look % MEMORY_EVERY == 0:
            peak = max(peak, memory(family(run.process.pid)))
    over = time.monotonic() - began
    spent = {role: max(0.0, after - before[role]) for role, after in _cpu(pids).items()}
    speed, updates = _slopes(np.array(seen)) if len(seen) > 1 else (0.0, 0.0)
    if speed <= 0:
        raise click.ClickException(f"nothing was trained in {seconds:.0f} s")
    return {
        "agent-steps/s": speed,
        "updates/s": updates,
        "MiB": peak / 2**20,
        **{f"CPU µs {kind}": 1e6 * _of(kind, spent) / (over * speed) for kind in KINDS},
    }


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    return {role: cpu_seconds(pid) or 0.0 for role, pid in pids.items()}


def _of(kind: str, spent: Mapping[str, float]) -> float:
    return sum(seconds for role, seconds in spent.items() if role.startswith(f"{kind}-"))


def _slopes(seen: NDArray[np.float64]) -> tuple[float, float]:
    """Per second, of [L, 3] looks: time, steps, updates."""
    times = seen[:, 0] - seen[0, 0]
    steps, updates = np.polyfit(times, seen[:, 1:], 1)[0]
    return float(steps), float(updates)
