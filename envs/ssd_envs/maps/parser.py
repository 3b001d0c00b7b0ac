"""Reads and checks map drawings: one line of text per row, one symbol per cell."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssd_envs.maps.game_map import APPLE_CELL, DIGITS, DOOR, SPAWN, WALL, GameMap, has_digits


def read_drawing(text_or_path: str | Path) -> str:
    """The rows of a drawing, given as text of several lines or as the path of a text file.

    A byte-order mark at the start is dropped.

    Raises:
        ValueError: if the file cannot be read.
    """
    if isinstance(text_or_path, str) and "\n" in text_or_path:
        return "\n".join(split_rows(text_or_path))
    try:
        return "\n".join(split_rows(Path(text_or_path).read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"a map is a drawing of several lines or the path of a text file; "
            f"cannot read {str(text_or_path)!r}: {error}"
        ) from error


def split_rows(drawing: str) -> tuple[str, ...]:
    """A drawing's rows, without common indentation and without blank lines before and after."""
    lines = [line.rstrip() for line in textwrap.dedent(drawing.removeprefix("\ufeff")).splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def parse_map(drawing: str, symbols: str, agents: int) -> GameMap:
    """Parse a drawing and check it.

    Args:
        drawing: the map, one line per row; common indentation and blank lines before and after are
            dropped.
        symbols: the symbols that the game knows. If they include digits, each agent has a start
            cell of its own. If they include a door, agent 1 must be in a box behind it.
        agents: N; each needs a start cell.

    Raises:
        ValueError: if rows differ in length, a symbol is unknown, the border has a gap, start cells
            are missing, or agent 1 is not in a box behind one door. Where possible the message
            shows the row and the column, counted from 0.
    """
    rows = split_rows(drawing)
    if not rows:
        raise ValueError("the map's drawing is empty")
    for row in range(len(rows)):
        _check_row(rows, row, symbols)
    game_map = GameMap(rows)
    if has_digits(symbols):
        _check_numbered_starts(game_map, symbols, agents)
    else:
        _check_count(game_map, SPAWN, "spawn cells", agents, at_least=True)
    if DOOR in symbols:
        _check_box(game_map)
    return game_map


def _check_numbered_starts(game_map: GameMap, symbols: str, agents: int) -> None:
    digits = "".join(symbol for symbol in symbols if symbol in DIGITS)
    if agents != len(digits):
        raise ValueError(f"this game is for {len(digits)} agents, not {agents}")
    for digit in digits:
        _check_count(game_map, digit, f"cells where agent {digit} starts", 1)


def _check_count(
    game_map: GameMap, symbol: str, description: str, needed: int, *, at_least: bool = False
) -> None:
    found = int(game_map.mask(symbol).sum())
    if found < needed or (found > needed and not at_least):
        raise ValueError(f"the map has {found} {description} ('{symbol}'), but needs {needed}")


def _check_box(game_map: GameMap) -> None:
    """The door must be the only way from agent 1 to agent 0, with all apples outside the box."""
    _check_count(game_map, DOOR, "doors", 1)
    free, trapped = ((int(row), int(column)) for row, column in game_map.start_positions())
    row, column = trapped
    box = _reachable(trapped, game_map.mask(WALL + DOOR))
    if free in box:
        raise map_error(game_map.rows[row], row, column, "agent 1 is not in a closed box")
    if any(game_map.rows[r][c] == APPLE_CELL for r, c in box):
        raise map_error(game_map.rows[row], row, column, "agent 1 has apples in its box")
    if free not in _reachable(trapped, game_map.mask(WALL)):
        raise map_error(
            game_map.rows[row], row, column, "agent 1 cannot reach agent 0 through the door"
        )


def _reachable(start: tuple[int, int], blocked: npt.NDArray[np.bool_]) -> set[tuple[int, int]]:
    """The rows and columns that can be reached from a start without entering a blocked cell."""
    reached, frontier = {start}, [start]
    while frontier:
        row, column = frontier.pop()
        for cell in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if cell not in reached and not blocked[cell]:
                reached.add(cell)
                frontier.append(cell)
    return reached


def _check_row(rows: tuple[str, ...], row: int, symbols: str) -> None:
    line, width = rows[row], len(rows[0])
    if len(line) != width:
        problem = f"{len(line)} columns where row 0 has {width}"
        raise map_error(line, row, min(len(line), width), problem)
    for column, symbol in enumerate(line):
        if symbol not in symbols:
            known = " ".join(symbols)
            raise map_error(line, row, column, f"unknown symbol {symbol!r}; this game has {known}")
        on_border = row in (0, len(rows) - 1) or column in (0, width - 1)
        if on_border and symbol != WALL:
            raise map_error(line, row, column, f"the border must be wall ('{WALL}') all around")


def map_error(line: str, row: int, column: int, problem: str) -> ValueError:
    """An error that shows the row and points at the column."""
    return ValueError(
        f"row {row}, column {column} (counted from 0): {problem}\n    {line}\n    {' ' * column}^"
    )
