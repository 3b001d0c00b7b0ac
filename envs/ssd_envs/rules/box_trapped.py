"""Box Trapped: apples without end, but one of the two agents sits in a box that the other can open.

How it is opened stands in `ssd_envs.rules.doors`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.layout import Layout
from ssd_envs.maps.game_map import DOOR
from ssd_envs.palette import APPLE, EMPTY, WALL
from ssd_envs.rules.doors import open_doors
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import EVENTS, GameSettings, game_spec

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class BoxTrapped(Rules):
    """Box Trapped's own rules."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._orchard = layout.cells(self._map.marked("o"))
        self._doors = layout.cells(self._map.marked(DOOR))
        self._opening = game_spec(settings).action_names.index("open_box")

    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        cells = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        cells[self._map.marked("#D")] = WALL
        cells[self._map.marked("o")] = APPLE
        return cells

    def act(self, boards: Boards) -> None:
        """Open the doors of all games whose opener acts so."""
        opened_at = boards.counts[EVENTS.index("opened_at")]
        open_doors(
            boards.actions, self._opening, self._doors, boards.clock, boards.cells, opened_at
        )

    def grow(self, boards: Boards) -> None:
        """Grow apples in all games; there is no luck in it."""
        bear_again(self._orchard, boards.cells, boards.agents)


@kernel
def bear_again(orchard: Ints, cells: Bytes, agents: Bytes) -> None:
    """Grow an apple on every bare apple cell that no agent stands on.

    Args:
        orchard: [K] the cells that can bear apples.
        cells: [B, size] what each cell holds; changed.
        agents: [B, size] who stands on each cell, as palette index, or 0.
    """
    for b in range(cells.shape[0]):
        for cell in orchard:
            if agents[b, cell] == EMPTY:
                cells[b, cell] = APPLE
