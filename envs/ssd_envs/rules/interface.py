"""What sets a game's rules apart from the others'."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ssd_envs.games import game_of
from ssd_envs.layout import Layout
from ssd_envs.plugins import load
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Boards:
    """The B games of a batch in the midst of a step: its own arrays, to be written in place.

    As in `boards.reward[:] += 1`. Cells are flat and padded, see `Layout`.

    Attributes:
        actions: uint8 [B, N] what each agent does.
        cells: uint8 [B, size] what each cell holds, as palette index; its symbol on the map says
            what it may hold, see `ssd_envs.state`.
        agents: uint8 [B, size] who stands on each cell, as palette index, or 0; not to be changed.
        place: int64 [B, N] each agent's cell; not to be changed.
        heading: int64 [B, N] 0 up, 1 right, 2 down, 3 left.
        random: uint64 [B] the games' random states, see `ssd_envs.kernels.rng`.
        clock: int32 [B] steps into the episode before this one; not to be changed.
        reward: float32 [N, B] of this step so far.
        counts: int64 [E, B, N] what each agent did in the episode so far, in the order of `EVENTS`.
    """

    actions: Bytes
    cells: Bytes
    agents: Bytes
    place: Ints
    heading: Ints
    random: npt.NDArray[np.uint64]
    clock: npt.NDArray[np.int32]
    reward: npt.NDArray[np.float32]
    counts: Ints


class Rules(ABC):
    """What a game adds to moving, eating and beams.

    Rules remember nothing from step to step: a game's whole state is in its `Boards`, so that it
    can be read, set, and goes on from there.
    """

    @abstractmethod
    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        """Take what is needed of the settings, and find the cells of their map."""

    @abstractmethod
    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""

    def act(self, boards: Boards) -> None:  # noqa: B027 - most games have no such actions
        """Carry out the actions that only this game has, once all have moved, eaten and fired."""

    @abstractmethod
    def grow(self, boards: Boards) -> None:
        """Change the boards at the end of a step."""


def make_rules(settings: GameSettings, layout: Layout) -> Rules:
    """The rules of the game that the settings name.

    Raises:
        ValueError: when the game names none, or they cannot be imported.
    """
    name = game_of(settings.name).rules
    rules = load(name)
    if not (isinstance(rules, type) and issubclass(rules, Rules)):
        raise ValueError(
            f"{name}: wanted a class of ssd_envs.rules.interface.Rules, found {rules!r:.100}"
        )
    made: Rules = rules(settings, layout)
    return made
