"""What sets a game's rules apart from the others', and which games there are."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ssd_envs.box_trapped import BoxTrapped
from ssd_envs.cleanup import Cleanup
from ssd_envs.harvest import Harvest
from ssd_envs.layout import Layout
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]


class Rules(Protocol):
    """What a game adds to moving, eating and beams: how its board begins and how it changes."""

    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""

    def grow(self, cells: Bytes, agents: Bytes, random: npt.NDArray[np.uint64]) -> None:
        """Change the boards at the end of a step.

        Args:
            cells: uint8 [B, size] what each cell holds (flat, padded: see `Layout`); changed.
            agents: uint8 [B, size] who stands on each cell, as palette index, or 0.
            random: uint64 [B] the games' random states (see `ssd_envs.chance`); changed.
        """


_RULES: dict[str, type[Cleanup] | type[Harvest] | type[BoxTrapped]] = {
    "cleanup": Cleanup,
    "cleanup-small": Cleanup,
    "harvest": Harvest,
    "harvest-small": Harvest,
    "box-trapped": BoxTrapped,
}


def make_rules(settings: GameSettings, layout: Layout) -> Rules:
    """The rules of the game that the settings name."""
    return _RULES[settings.name](settings, layout)
