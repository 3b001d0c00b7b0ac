"""A game, with the views of all its agents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from ssd_bench.parts import inputs
from ssd_bench.parts.timing import Part, Work
from ssd_envs.batch import GameBatch

GAMES = 64


def parts(game: str) -> Iterator[Part]:
    """In B = 64 games."""
    yield Part(f"games/{game}/B{GAMES}", partial(_step, game))


@contextmanager
def _step(game: str) -> Iterator[Work]:
    """Uniformly random actions, episode after episode."""
    settings = inputs.config_for(game, "baseline").game
    batch = GameBatch(settings, GAMES)
    shape, rng = (settings.horizon, GAMES, settings.agents), np.random.default_rng(0)
    actions = rng.integers(batch.spec.num_actions, size=shape, dtype=np.uint8)

    def call() -> None:
        if batch.ended[0]:
            batch.reset(np.arange(GAMES, dtype=np.uint64))
        batch.step(actions[batch.episode_step[0]])
        batch.observe()

    yield Work(call, GAMES * settings.agents, also={"env-steps": GAMES})
