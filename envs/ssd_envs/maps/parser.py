"""Reads and checks map drawings: one line of text per row, one symbol per cell."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ssd_envs.maps.game_map import APPLE_CELL, DOOR, NUMBERS, SPAWN, WALL, GameMap, is_numbered


def drawing_of(text_or_path: str | Path) -> str:
    """The drawing's bare rows: of what was given if it has several lines, else of that file.

    A byte-order mark, as some editors write one, is no part of it.

    Raises:
        ValueError: if the file cannot be read.
    """
    if isinstance(text_or_path, str) and "\n" in text_or_path:
        return "\n".join(rows_of(text_or_path))
    try:
        return "\n".join(rows_of(Path(text_or_path).read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"a map is a drawing of several lines or the path of a text file; "
            f"cannot read {str(text_or_path)!r}: {error}"
        ) from error


def rows_of(drawing: str) -> tuple[str, ...]:
    """A drawing's rows, without the blank lines around it and the indent before it."""
    lines = [line.rstrip() for line in textwrap.dedent(drawing.removeprefix("\ufeff")).splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def parse_map(drawing: str, symbols: str, agents: int) -> GameMap:
    """Read a drawing.

    Args:
        drawing: the map, one line per row; common indent and blank lines around it are dropped.
        symbols: the symbols that the game knows; if there are digits among them, each agent has a
            cell of its own to start from, and if there is a door, agent 1 is to be locked in.
        agents: N; each needs a cell to start from.

    Raises:
        ValueError: if rows differ in length, a symbol is unknown, the border is open, cells to
            start from are missing, or agent 1 is not locked in behind one door; where it can, it
            shows the row and the column, counted from 0.
    """
    rows = rows_of(drawing)
    if not rows:
        raise ValueError("the map's drawing is empty")
    for row in range(len(rows)):
        _check_row(rows, row, symbols)
    game_map = GameMap(rows)
    if is_numbered(symbols):
        _check_numbers(game_map, symbols, agents)
    else:
        _check_count(game_map, SPAWN, "spawn cells", agents, at_least=True)
    if DOOR in symbols:
        _check_box(game_map)
    return game_map


def _check_numbers(game_map: GameMap, symbols: str, agents: int) -> None:
    numbers = "".join(symbol for symbol in symbols if symbol in NUMBERS)
    if agents != len(numbers):
        raise ValueError(f"this game is for {len(numbers)} agents, not {agents}")
    for number in numbers:
        _check_count(game_map, number, f"cells where agent {number} starts", 1)


def _check_count(
    game_map: GameMap, symbol: str, what: str, needed: int, *, at_least: bool = False
) -> None:
    found = int(game_map.marked(symbol).sum())
    if found < needed or (found > needed and not at_least):
        raise ValueError(f"the map has {found} {what} ('{symbol}'), but needs {needed}")


def _check_box(game_map: GameMap) -> None:
    """Agent 1 must get to agent 0 through the door alone, and apples must lie outside its box."""
    _check_count(game_map, DOOR, "doors", 1)
    free, trapped = ((int(row), int(column)) for row, column in game_map.starts())
    row, column = trapped
    box = _reachable(trapped, game_map.marked(WALL + DOOR))
    if free in box:
        raise refusal(game_map.rows[row], row, column, "agent 1 is not in a closed box")
    if any(game_map.rows[r][c] == APPLE_CELL for r, c in box):
        raise refusal(game_map.rows[row], row, column, "agent 1 has apples in its box")
    if free not in _reachable(trapped, game_map.marked(WALL)):
        raise refusal(game_map.rows[row], row, column, "the door lets agent 1 out of no box")


def _reachable(start: tuple[int, int], barred: npt.NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Where one gets from here, row and column, without entering a barred cell."""
    reached, edge = {start}, [start]
    while edge:
        row, column = edge.pop()
        for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if near not in reached and not barred[near]:
                reached.add(near)
                edge.append(near)
    return reached


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
