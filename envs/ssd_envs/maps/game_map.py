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
NUMBERS = "0123456789"


@dataclass(frozen=True)
class GameMap:
    """A parsed map: rectangular, walled in, of known symbols only.

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

    def marked(self, symbols: str) -> npt.NDArray[np.bool_]:
        """Which cells bear any of these symbols: bool [height, width]."""
        return np.array([[symbol in symbols for symbol in row] for row in self.rows])

    @property
    def numbered(self) -> bool:
        """Whether each agent has a cell of its own to start from."""
        return is_numbered("".join(self.rows))

    def starts(self) -> npt.NDArray[np.int64]:
        """Row and column of each number's cell in order, or of all spawn cells: int64 [S, 2]."""
        if not self.numbered:
            return np.argwhere(self.marked(SPAWN))
        cells = {symbol: at for symbol in NUMBERS for at in np.argwhere(self.marked(symbol))}
        return np.array(list(cells.values()))


def is_numbered(symbols: str) -> bool:
    """Whether maps of these symbols give each agent a cell of its own to start from."""
    return any(symbol in NUMBERS for symbol in symbols)
