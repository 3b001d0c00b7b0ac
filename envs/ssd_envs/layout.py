"""How a board is stored, so that neither views nor beams need bounds checks.

A board is padded on all sides by the radius of a view and flattened. A cell is then one integer,
and a step in any direction adds a constant to it. The padding is empty and shows as black.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.maps.game_map import GameMap
from ssd_envs.spec import VIEW_RADIUS

NUM_HEADINGS = 4
"""Headings are numbered 0 up, 1 right, 2 down, 3 left; +1 is a quarter turn clockwise."""

_MOVE_DIRECTIONS = {"left": 3, "right": 1, "forward": 0, "backward": 2}  # relative to the heading
_QUARTER_TURNS = {"turn_clockwise": 1, "turn_counterclockwise": 3}


class Layout:
    """The storage layout of one map's boards.

    Attributes:
        height, width: of the map.
        stride: cells per padded row.
        size: cells per padded board.
        forward_offset: int64 [4] what a step forward adds to a cell, by heading.
    """

    def __init__(self, game_map: GameMap) -> None:
        self.height, self.width = game_map.height, game_map.width
        self.stride = self.width + 2 * VIEW_RADIUS
        self.size = (self.height + 2 * VIEW_RADIUS) * self.stride
        self.forward_offset = np.array([-self.stride, 1, self.stride, -1], np.int64)

    def cells_where(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """The cells where a bool [height, width] mask is true, row by row: int64 [K]."""
        rows, columns = np.nonzero(mask)
        return self.cells_at(rows, columns)

    def cells_at(
        self, rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.int64]:
        """The cells at these rows and columns: int64, of their common shape."""
        return ((rows + VIEW_RADIUS) * self.stride + columns + VIEW_RADIUS).astype(np.int64)

    def rows_and_columns(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The row and column of each cell on the map: int64 [..., 2]."""
        return np.stack([cells // self.stride - VIEW_RADIUS, cells % self.stride - VIEW_RADIUS], -1)

    def without_padding(self, boards: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The map's part of padded boards [..., size], as an array view: [..., height, width]."""
        padded = boards.reshape(*boards.shape[:-1], -1, self.stride)
        return padded[..., VIEW_RADIUS:-VIEW_RADIUS, VIEW_RADIUS:-VIEW_RADIUS]

    def neighbour_offsets(self, max_squared_distance: int) -> npt.NDArray[np.int64]:
        """What to add to a cell for each neighbour with 0 < dx² + dy² ≤ this: int64 [K]."""
        steps = range(-VIEW_RADIUS, VIEW_RADIUS + 1)
        offsets = [
            dy * self.stride + dx
            for dy in steps
            for dx in steps
            if 0 < dx * dx + dy * dy <= max_squared_distance
        ]
        return np.array(offsets, np.int64)

    def move_offsets(self, action_names: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """What each action adds to an agent's cell, by heading: int64 [4, A]; 0 if not a move."""
        table = np.zeros((NUM_HEADINGS, len(action_names)), np.int64)
        for action, name in enumerate(action_names):
            if name in _MOVE_DIRECTIONS:
                table[:, action] = np.roll(self.forward_offset, -_MOVE_DIRECTIONS[name])
        return table


def quarter_turns(action_names: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """The quarter turns clockwise of each action: int64 [A]; 0 if not a turn."""
    return np.array([_QUARTER_TURNS.get(name, 0) for name in action_names], np.int64)
