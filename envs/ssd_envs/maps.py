"""Maps as drawings: one symbol per cell, parsed and checked.

Legend: `#` wall · `.` floor · `+` spawn · `o` apple cell · `~` river, clean at reset · `w` river,
waste at reset · `=` stream. A game has some of these symbols and refuses the rest.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

WALL = "#"
SPAWN = "+"


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


def drawing_of(text_or_path: str) -> str:
    """The drawing's bare rows: of what was given if it has several lines, else of that file.

    Raises:
        ValueError: if the file cannot be read.
    """
    if "\n" in text_or_path:
        return "\n".join(rows_of(text_or_path))
    try:
        return "\n".join(rows_of(Path(text_or_path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"a map is a drawing of several lines or the path of a text file; "
            f"cannot read {text_or_path!r}: {error}"
        ) from error


def rows_of(drawing: str) -> tuple[str, ...]:
    """A drawing's rows, without the blank lines around it and the indent before it."""
    lines = [line.rstrip() for line in textwrap.dedent(drawing).splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def parse_map(drawing: str, symbols: str, spawns: int) -> GameMap:
    """Read a drawing.

    Args:
        drawing: the map, one line per row; common indent and blank lines around it are dropped.
        symbols: the symbols that the game knows.
        spawns: how many spawn cells the map must have at least.

    Raises:
        ValueError: if rows differ in length, a symbol is unknown, the border is open or spawn
            cells are too few; it shows the row and the column, counted from 0.
    """
    rows = rows_of(drawing)
    if not rows:
        raise ValueError("the map's drawing is empty")
    for row in range(len(rows)):
        _check_row(rows, row, symbols)
    found = sum(row.count(SPAWN) for row in rows)
    if found < spawns:
        raise ValueError(f"the map has {found} spawn cells ('{SPAWN}'), but needs {spawns}")
    return GameMap(rows)


def _check_row(rows: tuple[str, ...], row: int, symbols: str) -> None:
    line, width = rows[row], len(rows[0])
    if len(line) != width:
        wrong = f"{len(line)} columns where row 0 has {width}"
        raise refusal(line, row, min(len(line), width), wrong)
    for column, symbol in enumerate(line):
        if symbol not in symbols:
            known = " ".join(symbols)
            raise refusal(line, row, column, f"unknown symbol {symbol!r}; this game has {known}")
        on_border = row in (0, len(rows) - 1) or column in (0, width - 1)
        if on_border and symbol != WALL:
            raise refusal(line, row, column, f"the border must be wall ('{WALL}') all around")


def refusal(line: str, row: int, column: int, wrong: str) -> ValueError:
    """An error that shows the offending row and points at the column."""
    return ValueError(
        f"row {row}, column {column} (counted from 0): {wrong}\n    {line}\n    {' ' * column}^"
    )
