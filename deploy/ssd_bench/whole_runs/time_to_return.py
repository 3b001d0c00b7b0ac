"""How long a run trains until its agents play well: the time to a collective return."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from ssd_bench.processes import log
from ssd_bench.results.rows import GOAL, Row
from ssd_bench.whole_runs.training_run import training_run
from ssd_run.progress.episodes import LAST_EPISODES, Episodes
from ssd_run.run_config import RunConfig, validate
from ssd_wire.run_file import override

PERIOD = 1.0  # seconds between readings
LONGEST = 7200.0  # seconds after which a run is given up


def measure(config: RunConfig, goal: float, seeds: Iterable[int], longest: float = LONGEST) -> Row:
    """Run each seed until the mean return of its last 100 full-length episodes is the goal.

    Raises:
        click.ClickException: when one of them has run for the longest time, or ends by itself.
    """
    name = f"return/{config.preset.name}/{goal:g}"
    found = []
    for seed in seeds:
        seeded = validate(override(config.sections(), [f"run.seed={seed}"]))
        found.append(_reach(seeded, goal, longest))
        seconds, agent_steps = found[-1]
        log(f"{name}, seed {seed}: {agent_steps:,.0f} agent-steps, {seconds:,.0f} s")
    times, steps = zip(*found, strict=True)
    rates = tuple(1 / seconds for seconds in times)
    return Row(name=name, unit=GOAL, samples=rates, also={"agent-steps": steps, "s": times})


def _reach(config: RunConfig, goal: float, longest: float) -> tuple[float, float]:
    """Seconds since the launch, and agent-steps trained, when the goal is reached."""
    with training_run(config) as run:
        episodes = Episodes(run.run_dir / "episodes", config.game.horizon)
        agent_steps, reached = 0.0, None
        while run.elapsed < longest:
            time.sleep(PERIOD)
            if (trained := run.trained()) is not None:
                agent_steps = trained[0].sum()
            outcome = episodes.update()
            reached = outcome.collective_return
            if outcome.episodes == LAST_EPISODES and reached is not None and reached >= goal:
                return run.elapsed, agent_steps
    raise click.ClickException(f"no return of {goal:g} in {longest:,.0f} s: the last is {reached}")
