"""The legend of map drawings, and a parsed map.

Legend: `#` wall, `.` floor, `+` spawn cell, `o` apple cell, `~` river that is clean at reset, `w`
river with waste at reset, `=` stream, `D` door that is shut at reset, `0` and `1` the cells where
agents 0 and 1 start. Each game has some of these symbols and refuses the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEGEND = "#.+o~w=D01"
WALL = "#"
SPAWN = "+"
APPLE_CELL = "o"
DOOR = "D"
DIGITS = "0123456789"
"""A digit is the cell where the agent of that number starts."""


@dataclass(frozen=True)
class GameMap:
    """A parsed map: rectangular, enclosed by walls, with known symbols only.

    Attributes:
        rows: the drawing, one string per row, all of one length.
    """

    rows: tuple[str, ...]

    @property
    def height(self) -> int:
        """How many rows."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.rows[0])

    def mask(self, symbols: str) -> npt.NDArray[np.bool_]:
        """Which cells are drawn with one of these symbols: bool [height, width]."""
        return np.array([[symbol in symbols for symbol in row] for row in self.rows])

    @property
    def numbered_starts(self) -> bool:
        """Whether each agent has a start cell of its own."""
        return has_digits("".join(self.rows))

    def start_positions(self) -> npt.NDArray[np.int64]:
        """Row and column of all spawn cells, or of each agent's own start cell: int64 [S, 2]."""
        if not self.numbered_starts:
            return np.argwhere(self.mask(SPAWN))
        starts = {digit: position for digit in DIGITS for position in np.argwhere(self.mask(digit))}
        return np.array(list(starts.values()))


def has_digits(symbols: str) -> bool:
    """Whether maps of these symbols give each agent a start cell of its own."""
    return any(symbol in DIGITS for symbol in symbols)
