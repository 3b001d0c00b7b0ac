"""How a board lies in memory, so that no view and no beam ever needs a bounds check.

A board is padded on all sides by as many cells as an agent sees, and flattened: a cell is one
number, and a step in any direction adds a constant to it. Beyond the walls lies nothing (black).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.maps.game_map import GameMap
from ssd_envs.spec import VIEW

RADIUS = VIEW // 2

QUARTERS = 4
"""Headings, by number: 0 up, 1 right, 2 down, 3 left; +1 turns clockwise."""

_QUARTERS_FROM_HEADING = {"left": 3, "right": 1, "forward": 0, "backward": 2}
_TURNS = {"turn_clockwise": 1, "turn_counterclockwise": 3}


class Layout:
    """The geometry of one map's boards.

    Attributes:
        height, width: of the map.
        stride: cells per padded row.
        size: cells per padded board.
        forward: int64 [4] what a step ahead adds to a cell, by heading.
    """

    def __init__(self, game_map: GameMap) -> None:
        self.height, self.width = game_map.height, game_map.width
        self.stride = self.width + 2 * RADIUS
        self.size = (self.height + 2 * RADIUS) * self.stride
        self.forward = np.array([-self.stride, 1, self.stride, -1], np.int64)

    def cells(self, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The cells of a bool [height, width] mask, in reading order: int64 [K]."""
        rows, columns = np.nonzero(where)
        return self.cell(rows, columns)

    def cell(
        self, row: npt.NDArray[np.integer], column: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int64]:
        """The cells at these rows and columns: int64, of their common shape."""
        return ((row + RADIUS) * self.stride + column + RADIUS).astype(np.int64)

    def row_and_column(self, cell: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Where cells lie on the map: int64 [..., 2]."""
        return np.stack([cell // self.stride - RADIUS, cell % self.stride - RADIUS], -1)

    def inner(self, boards: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A view on flat padded boards [..., size], without the padding: [..., height, width]."""
        padded = boards.reshape(*boards.shape[:-1], -1, self.stride)
        return padded[..., RADIUS:-RADIUS, RADIUS:-RADIUS]

    def within(self, squared_distance: int) -> npt.NDArray[np.int64]:
        """What leads from a cell to every other with 0 < dx² + dy² ≤ this: int64 [K]."""
        steps = range(-RADIUS, RADIUS + 1)
        near = [
            dy * self.stride + dx
            for dy in steps
            for dx in steps
            if 0 < dx * dx + dy * dy <= squared_distance
        ]
        return np.array(near, np.int64)

    def moves(self, action_names: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """What each action adds to the cell of an agent, by heading: int64 [4, A], 0 for most."""
        table = np.zeros((QUARTERS, len(action_names)), np.int64)
        for action, name in enumerate(action_names):
            if name in _QUARTERS_FROM_HEADING:
                turned = _QUARTERS_FROM_HEADING[name]
                table[:, action] = np.roll(self.forward, -turned)
        return table


def turns(action_names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """The quarter turns clockwise of each action: int64 [A], 0 for most."""
    return np.array([_TURNS.get(name, 0) for name in action_names], np.int64)
