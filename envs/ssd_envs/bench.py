"""How fast the games are: `python -m ssd_envs.bench`. One core, uniformly random actions."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from ssd_envs.batch import GameBatch
from ssd_envs.spec import GAMES, GameSettings


@dataclass(frozen=True)
class Figure:
    """One row of the bench: the median of its repeats."""

    game: str
    games: int
    views: bool
    env_steps_per_second: float
    microseconds_per_env_step: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every game, with views and without, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m ssd_envs.bench", description=__doc__)
    parser.add_argument("--games", type=int, default=64, help="B, games per batch (%(default)s)")
    parser.add_argument("--steps", type=int, default=1000, help="per repeat (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="of which the median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead")
    options = parser.parse_args(arguments)
    figures = [
        measure(name, options.games, options.steps, options.repeats, views=views)
        for name in GAMES
        for views in (True, False)
    ]
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    for figure in figures:
        print(
            f"{figure.game:8} B={figure.games} {'with views' if figure.views else 'no views':10} "
            f"{figure.env_steps_per_second:12,.0f} env-steps/s "
            f"{figure.microseconds_per_env_step:6.2f} µs/env-step"
        )


def measure(name: str, games: int, steps: int, repeats: int, *, views: bool) -> Figure:
    """Play episodes of so many steps at random; compilation is not counted."""
    settings = GameSettings.model_validate({"name": name, "horizon": steps})
    batch = GameBatch(settings, games)
    shape = (steps, games, settings.agents)
    actions = np.random.default_rng(0).integers(batch.spec.num_actions, size=shape, dtype=np.uint8)
    _play(batch, actions, views=views)
    seconds = statistics.median(_play(batch, actions, views=views) for _ in range(repeats))
    per_second = steps * games / seconds
    return Figure(name, games, views, per_second, 1e6 / per_second)


def _play(batch: GameBatch, actions: npt.NDArray[np.uint8], *, views: bool) -> float:
    """Seconds of one repeat; every repeat plays the same episodes."""
    batch.reset(np.arange(batch.games, dtype=np.uint64))
    start = time.perf_counter()
    for action in actions:
        batch.step(action)
        if views:
            batch.observe()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
