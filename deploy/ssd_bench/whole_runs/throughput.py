"""Whole runs: `ssd-train` as users start it, watched from outside once it is in its stride.

The speed is not what `ssd-train` says in its summary, which counts the minute in which a run comes
to its stride and the seconds in which it stops. It is the slope of the learners' own counters of
trained agent-steps, over a window that begins some time after every learner's first update.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import click
import numpy as np

from ssd_bench.process_usage import cpu_seconds, memory
from ssd_bench.results.rows import Row
from ssd_bench.whole_runs.training_run import RunRequest, TrainingRun, training_run
from ssd_influence.settings import NetworkSettings
from ssd_run.plan import Plan

LOOK = 2.0  # seconds between looks; a learner's counter grows by thousands at a time
MEMORY_EVERY = 5  # looks; asking for it walks all pages

KINDS = ("env", "actor", "learner")


def ceiling_of(plan: Plan) -> str | None:
    """The row that a run is held against: none where its networks have other sizes."""
    experiment, game = plan.experiment, plan.game
    unlike = experiment.symbols or (experiment.has_moa and experiment.influence != "moa")
    usual = type(game)(name=game.name).agents
    if unlike or plan.network != NetworkSettings() or game.agents != usual:
        return None
    return f"torch/{game.name}/{'moa' if experiment.has_moa else 'baseline'}/run"


def measure(
    request: RunRequest, runs: int, warmup: float, seconds: float, say: Callable[[str], None]
) -> Row:
    """So many runs from the start, one after the other.

    Each is watched for so many seconds, `warmup` after the last learner's first update.

    Raises:
        click.ClickException: when one of them makes no updates, or ends by itself.
    """
    name, figures = f"whole/{request.plan.preset.name}", []
    for number in range(1, runs + 1):
        with training_run(request, say) as run:
            first_updates = run.wait_for_first_updates()
            time.sleep(warmup)
            figures.append(_window(run, seconds) | {"s to first updates": first_updates})
        told = ", ".join(f"{what} {value:,.1f}" for what, value in figures[-1].items())
        say(f"{name}, run {number} of {runs}: {told}")
    columns = {what: tuple(one[what] for one in figures) for what in figures[0]}
    speeds = columns.pop("agent-steps/s")
    return Row(name=name, samples=speeds, also=columns, ceiling=ceiling_of(request.plan))


def _window(run: TrainingRun, seconds: float) -> dict[str, float]:
    """Look for so long; speeds are slopes over all looks, since counters grow by leaps."""
    seen, peak, pids = [], 0, run.pids()
    before, began = _cpu(pids), time.monotonic()
    looks = max(2, round(seconds / LOOK) + 1)
    for look in range(looks):
        time.sleep(max(0.0, began + look * seconds / (looks - 1) - time.monotonic()))
        if (said := run.trained()) is not None:
            seen.append((time.monotonic() - began, *map(sum, said)))
        if look % MEMORY_EVERY == 0:
            peak = max(peak, memory(run.process.pid))
    over, spent = time.monotonic() - began, _cpu(pids)
    times, *counts = np.array(seen).reshape(-1, 3).T
    speed, updates = np.polyfit(times, np.transpose(counts), 1)[0] if len(seen) > 1 else (0, 0)
    if speed <= 0:
        raise click.ClickException(f"nothing was trained in {seconds:.0f} s")
    return {
        "agent-steps/s": float(speed),
        "updates/s": float(updates),
        "MiB": peak / 2**20,
        **{
            f"CPU µs {kind}": 1e6 * max(0.0, spent[kind] - before[kind]) / (over * float(speed))
            for kind in KINDS
        },
    }


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds by kind of process, all of a kind together."""
    return {
        kind: sum(cpu_seconds(pid) for role, pid in pids.items() if role.startswith(f"{kind}-"))
        for kind in KINDS
    }
