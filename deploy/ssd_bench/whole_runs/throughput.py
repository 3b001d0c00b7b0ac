"""Whole runs: `ssd-train` as users start it, watched from outside once its speed is steady.

The summary of `ssd-train` counts its first and last seconds, too. So the speed here is the slope of
the learners' counters of trained own-steps, from some time after every learner's first update.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import click
import numpy as np
from numpy.typing import NDArray

from ssd_bench.processes import cpu_seconds, log, memory
from ssd_bench.results.rows import Row
from ssd_bench.whole_runs.training_run import TrainingRun, training_run
from ssd_influence.settings import NetworkSettings
from ssd_run.run_config import RunConfig

PERIOD = 2.0  # seconds between readings; a learner's counter grows by thousands at a time
MEMORY_EVERY = 5  # readings; to measure memory takes long
KINDS = ("env", "actor", "learner")


def ceiling_of(config: RunConfig) -> str | None:
    """The row that a run is compared with; none where its networks have other sizes."""
    experiment, game = config.experiment, config.game
    unlike = experiment.symbols or (experiment.has_moa and experiment.influence != "moa")
    usual = type(game)(name=game.name).agents
    if unlike or config.network != NetworkSettings() or game.agents != usual:
        return None
    return f"torch/{game.name}/{'moa' if experiment.has_moa else 'baseline'}/run"


def measure(config: RunConfig, runs: int, warmup: float, seconds: float) -> Row:
    """Make so many runs, one after the other.

    Each is measured for so many seconds, `warmup` after the last learner's first update.

    Raises:
        click.ClickException: when one of them makes no updates, or ends by itself.
    """
    name, figures = f"whole/{config.preset.name}", []
    for number in range(1, runs + 1):
        with training_run(config) as run:
            first_updates = run.wait_for_first_updates()
            time.sleep(warmup)
            figures.append(_measure(run, seconds) | {"s to first updates": first_updates})
        found = ", ".join(f"{what} {value:,.1f}" for what, value in figures[-1].items())
        log(f"{name}, run {number} of {runs}: {found}")
    columns = {what: tuple(one[what] for one in figures) for what in figures[0]}
    speeds = columns.pop("agent-steps/s")
    return Row(name=name, samples=speeds, also=columns, ceiling=ceiling_of(config))


def _measure(run: TrainingRun, seconds: float) -> dict[str, float]:
    """Read counters for so long; speeds are slopes over all readings, since counters jump."""
    pids = {role: entry["pid"] for role, entry in run.entries.items()}
    readings, peak = [], 0
    cpu_before, began = _cpu(pids), time.monotonic()
    count = max(2, round(seconds / PERIOD) + 1)
    for number in range(count):
        time.sleep(max(0.0, began + number * seconds / (count - 1) - time.monotonic()))
        if (trained := run.trained()) is not None:
            readings.append((time.monotonic() - began, *trained.sum(1)))
        if number % MEMORY_EVERY == 0:
            peak = max(peak, memory(run.process.pid))
    cpu = (_cpu(pids) - cpu_before) / (time.monotonic() - began)
    if len(readings) < 2 or readings[-1][1] <= readings[0][1]:
        raise click.ClickException(f"nothing was trained in {seconds:.0f} s")
    times, *counters = np.array(readings).T
    speed, updates = np.polyfit(times, np.transpose(counters), 1)[0]
    figures = {"agent-steps/s": speed, "updates/s": updates, "MiB": peak / 2**20}
    of_kind = {f"CPU µs {kind}": 1e6 * each / speed for kind, each in zip(KINDS, cpu, strict=True)}
    return {name: max(0.0, float(value)) for name, value in {**figures, **of_kind}.items()}


def _cpu(pids: Mapping[str, int]) -> NDArray[np.float64]:
    """CPU seconds of each kind of process, all of a kind together."""
    spent = {role: cpu_seconds(pid) for role, pid in pids.items()}
    return np.array([sum(s for role, s in spent.items() if role.startswith(k)) for k in KINDS])
