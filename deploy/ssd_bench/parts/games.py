"""The games: their kernels alone, and with all agents' views."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from ssd_bench.parts import plans
from ssd_bench.parts.ceilings import GAMES_AIM
from ssd_bench.parts.timing import Part, Work
from ssd_envs.batch import GameBatch

GAMES = 64


def parts(game: str) -> Iterator[Part]:
    """Both, in B = 64 games."""
    for views in (False, True):
        name = f"games/{game}/{'views' if views else 'kernels'}/B{GAMES}"
        yield Part(name, partial(_playing, game, views), ceiling=f"{GAMES_AIM}/{game}")


@contextmanager
def _playing(game: str, views: bool) -> Iterator[Work]:
    """Uniformly random actions, episode after episode."""
    settings = plans.plan_for(game, "baseline").game
    batch = GameBatch(settings, GAMES)
    shape, rng = (settings.horizon, GAMES, settings.agents), np.random.default_rng(0)
    actions = rng.integers(batch.spec.num_actions, size=shape, dtype=np.uint8)

    def go() -> None:
        if batch.ended[0]:
            batch.reset(np.arange(GAMES, dtype=np.uint64))
        batch.step(actions[batch.episode_step[0]])
        if views:
            batch.observe()

    yield Work(go, GAMES * settings.agents, also={"env-steps": GAMES})
