"""Box Trapped: apples without end, but one of the two agents sits in a box that the other can open.

How it is opened stands in `ssd_envs.doors`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernel import kernel
from ssd_envs.layout import Layout
from ssd_envs.palette import APPLE, EMPTY, WALL
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class BoxTrapped:
    """Box Trapped's own rules."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._orchard = layout.cells(self._map.marked("o"))

    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        cells = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        cells[self._map.marked("#D")] = WALL
        cells[self._map.marked("o")] = APPLE
        return cells

    def grow(self, cells: Bytes, agents: Bytes, random: npt.NDArray[np.uint64]) -> None:
        """Grow apples in all games; arrays as in `bear_again`, and no luck in it."""
        del random
        bear_again(self._orchard, cells, agents)


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
