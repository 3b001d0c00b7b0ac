import textwrap
from collections.abc import Callable

import numpy as np
import pytest

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw_game


def _play(batch: GameBatch, actions: str) -> None:
    """Play the same step in all games; `actions` has the action names of the agents in order."""
    numbers = [batch.spec.action_names.index(name) for name in actions.split()]
    batch.step(np.tile(np.array(numbers, np.uint8), (batch.num_games, 1)))


def _looks_like(batch: GameBatch, drawing: str, game: int = 0, *, beams: bool = False) -> bool:
    """Assert that a game is as drawn. Without a last line, agent numbers are not compared."""
    drawn, wanted = draw_game(batch, game, beams=beams), textwrap.dedent(drawing).strip()
    if "agents:" not in wanted:
        drawn = drawn[: drawn.index("\nagents:")]
    assert drawn == wanted, f"\nwanted\n{wanted}\nfound\n{drawn}"
    return True


@pytest.fixture(scope="session")
def play() -> Callable[[GameBatch, str], None]:
    return _play


@pytest.fixture(scope="session")
def looks_like() -> Callable[..., bool]:
    return _looks_like
