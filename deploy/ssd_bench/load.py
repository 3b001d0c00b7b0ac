"""`ssd-load`: how many segments one learner takes, from how many actors. Start reading here."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from ssd_bench.processes import cpu_seconds, running
from ssd_bench.results.machine import facts
from ssd_bench.results.rows import Result, Row
from ssd_bench.results.table import show
from ssd_bench.synthetic_actors import connected
from ssd_run.presets import load_config
from ssd_run.progress.scraper import fetch
from ssd_run.run_config import RunConfig
from ssd_wire.errors import RunFileError
from ssd_wire.process.command import reports_errors, version_option

WARM_UPDATES = 5  # allocators, threads and windows are steady by then
ANSWER_SECONDS = 10.0  # that a busy learner has for its metrics
COUNTERS = ("trained_own_steps", "updates", "busy_seconds")


def measure(config: RunConfig, agent: int, actors: int, seconds: float, repeats: int) -> Row:
    """Load a learner with so many actors, in so many windows of time.

    Raises:
        click.ClickException: when segments were lost.
    """
    warm = WARM_UPDATES * config.learning.batch_segments
    learning = running(config, f"learner-{agent}")
    with learning as learner, connected(config, agent, actors, learner) as players:
        players.play(trained=warm)
        readings = [_read(learner)]
        for _ in range(repeats):
            players.play(until=time.monotonic() + seconds)
            players.play(trained=players.total("trained") + 1)  # no update is counted in part
            readings.append(_read(learner))
        finished = players.finish()
    made, trained = players.total("made"), players.total("trained")
    if not finished or made != trained:
        raise click.ClickException(f"segments were lost: {made} made, {trained} trained")
    columns = rates(readings, config.segment_steps)
    name = f"load/{config.preset.name}/{actors}-actors"
    return Row(name=name, samples=columns.pop("own-steps/s"), also=columns)


def _read(learner: Mapping[str, Any]) -> tuple[float, ...]:
    """`COUNTERS`, CPU seconds of the learner and of this process, and a clock in seconds."""
    metrics = fetch(learner["metrics"], ANSWER_SECONDS)
    counters = (metrics[f"ssd_learner_{name}_total"] for name in COUNTERS)
    return (*counters, cpu_seconds(learner["pid"]), time.process_time(), time.monotonic())


def rates(readings: Sequence[Sequence[float]], segment_steps: int) -> dict[str, tuple[float, ...]]:
    """What happened from each reading to the next, per second.

    CPU is that of the learner with its ZeroMQ thread, as a share of the time; and in µs per
    own-step, which other processes disturb least. Where the share of this process ("load's CPU")
    is near 1, it is this process that limits the rate.
    """
    grown = np.diff(np.array(readings), axis=0)
    own_steps, updates, busy, cpu, load_cpu, _ = (grown / grown[:, -1:]).T
    columns = {
        "own-steps/s": own_steps,
        "segments/s": own_steps / segment_steps,
        "updates/s": updates,
        "in updates": busy,
        "CPU": cpu,
        "CPU µs": 1e6 * cpu / np.maximum(own_steps, 1e-9),
        "load's CPU": load_cpu,
    }
    return {name: tuple(map(float, column)) for name, column in columns.items()}


@click.command()
@version_option
@click.option("--preset", default="cleanup-moa", show_default=True, help="Or your own .toml file.")
@click.option("--agent", default=0, show_default=True, type=click.IntRange(0))
@click.option("--actors", default=(1,), multiple=True, type=click.IntRange(1), help="A row each.")
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE")
@click.option("--seconds", default=10.0, show_default=True, help="Length of a window.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(1), help="Windows.")
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Write all figures here.")
@click.pass_context
@reports_errors
def main(
    context: click.Context,
    preset: str,
    agent: int,
    actors: tuple[int, ...],
    assignments: tuple[str, ...],
    seconds: float,
    repeats: int,
    kept: Path | None,
) -> None:
    """Send one learner made-up segments of many actors, over the real protocol.

    Starts an ssd-learner for each row, in a temporary directory.
    """
    if not seconds > 0:
        raise click.UsageError(f"--seconds: wanted more than 0, found {seconds}")
    config = load_config(preset, assignments)
    if agent >= config.game.agents:
        raise RunFileError(f"wanted an agent of 0 to {config.game.agents - 1}, found {agent}")
    torch.set_num_threads(1)
    try:
        rows = tuple(measure(config, agent, number, seconds, repeats) for number in actors)
    except KeyboardInterrupt:
        sys.exit(130)
    settings = {name: value for name, value in context.params.items() if name != "kept"}
    result = Result(machine=facts(), settings=settings, rows=rows)
    result.write(kept)
    show(result)


if __name__ == "__main__":
    main()
