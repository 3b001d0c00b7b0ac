"""How long a run trains until its agents play well: the time to a collective return."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import click

from ssd_bench.results.rows import GOAL, Row
from ssd_bench.whole_runs.training_run import RunRequest, training_run
from ssd_run.progress.episodes import LAST, Episodes

LOOK = 1.0  # seconds between looks
LONGEST = 7200.0  # seconds after which a run is given up


def measure(
    request: RunRequest,
    goal: float,
    seeds: range,
    say: Callable[[str], None],
    longest: float = LONGEST,
) -> Row:
    """One run for each seed, until the mean return of its last 100 full episodes is the goal.

    Raises:
        click.ClickException: when one of them has run for the longest time, or ends by itself.
    """
    name = f"return/{request.plan.preset.name}/{goal:g}"
    found = []
    for seed in seeds:
        seeded = replace(request, assignments=(*request.assignments, f"run.seed={seed}"))
        found.append(_reach(seeded, goal, longest, say))
        seconds, agent_steps = found[-1]
        say(f"{name}, seed {seed}: {agent_steps:,.0f} agent-steps, {seconds:,.0f} s")
    times, steps = zip(*found, strict=True)
    rates = tuple(1 / seconds for seconds in times)
    return Row(name=name, unit=GOAL, samples=rates, also={"agent-steps": steps, "s": times})


def _reach(
    request: RunRequest, goal: float, longest: float, say: Callable[[str], None]
) -> tuple[float, float]:
    """Seconds since the launch, and agent-steps trained, when the goal is reached."""
    with training_run(request, say) as run:
        episodes = Episodes(run.run_dir / "episodes", request.plan.game.horizon)
        agent_steps = 0.0
        while run.elapsed < longest:
            time.sleep(LOOK)
            if (said := run.trained()) is not None:
                agent_steps = sum(said[0])
            outcome = episodes.follow()
            if outcome.episodes < LAST or outcome.collective_return is None:
                continue
            if outcome.collective_return >= goal:
                return run.elapsed, agent_steps
        last = episodes.follow().collective_return
    raise click.ClickException(f"no return of {goal:g} within {longest:,.0f} s: the last is {last}")
