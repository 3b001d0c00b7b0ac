"""The interface of a game's own rules: `Rules`, and the arrays that they read and write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssd_envs.games import get_game
from ssd_envs.layout import Layout
from ssd_envs.plugins import load_object
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Boards:
    """The arrays of a batch of B games during a step. Rules write into them in place.

    For example `boards.reward[:] += 1`. A cell is an index into a padded, flattened board, see
    `Layout`.

    Attributes:
        actions: uint8 [B, N] each agent's action.
        contents: uint8 [B, size] what each cell holds, as palette index. `CONTENTS` in
            `ssd_envs.state` lists what a cell may hold, by its symbol on the map.
        occupants: uint8 [B, size] the agent on each cell, as palette index, or 0; read-only.
        position: int64 [B, N] each agent's cell; read-only.
        heading: int64 [B, N] 0 up, 1 right, 2 down, 3 left.
        rng_state: uint64 [B] the state of each game's random numbers, see `ssd_envs.kernels.rng`.
        episode_step: int32 [B] steps of the episode before this one; read-only.
        reward: float32 [N, B] of this step so far.
        counts: int64 [E, B, N] what each agent did in the episode so far, in the order of `EVENTS`.
    """

    actions: Bytes
    contents: Bytes
    occupants: Bytes
    position: Ints
    heading: Ints
    rng_state: npt.NDArray[np.uint64]
    episode_step: npt.NDArray[np.int32]
    reward: npt.NDArray[np.float32]
    counts: Ints


class Rules(ABC):
    """What a game adds to moving, eating and beams.

    Rules keep no state between steps: the whole state of a game is in its `Boards`, so that it can
    be saved and restored.
    """

    @abstractmethod
    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        """Keep what the rules need of the settings and of their map."""

    @abstractmethod
    def initial_contents(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""

    def apply_actions(self, boards: Boards) -> None:  # noqa: B027 - most games have no own actions
        """Carry out the actions that only this game has, after moves, eating and beams."""

    @abstractmethod
    def grow(self, boards: Boards) -> None:
        """Change the boards at the end of a step."""


def make_rules(settings: GameSettings, layout: Layout) -> Rules:
    """The rules of the game that the settings name.

    Raises:
        ValueError: if they cannot be imported or are not a subclass of `Rules`.
    """
    path = get_game(settings.name).rules
    rules_class = load_object(path)
    if not (isinstance(rules_class, type) and issubclass(rules_class, Rules)):
        wanted = f"a subclass of {Rules.__module__}.Rules"
        raise ValueError(f"{path}: wanted {wanted}, found {rules_class!r:.100}")
    rules: Rules = rules_class(settings, layout)
    return rules
