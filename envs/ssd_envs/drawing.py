"""Games as text: draw a game's state, and set a game's state from a drawing.

The symbols are those of maps, with these changes. `,` is an apple cell without an apple, `o` one
with it. `w` and `~` are river cells with and without waste. `D` is a shut door and `d` an open one.
Start cells are floor (`.`). An agent is an arrow along its heading: `^ > v <`. The last line gives
the numbers of the agents in reading order, each with the symbol of what it stands on, where that is
not visible. Here agent 1 is on the left and stands on waste:

    #######
    #>.o,<#
    #######
    agents: 1w 0

Without that line, agents are numbered in reading order, and no agent stands on an apple, on waste
or in an open door.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ssd_envs.batch import GameBatch
from ssd_envs.maps.game_map import DIGITS, SPAWN
from ssd_envs.maps.parser import map_error, split_rows
from ssd_envs.palette import APPLE, CLEANING_BEAM, EMPTY, FINING_BEAM, RIVER, WALL, WASTE

_ARROWS = "^>v<"
_FOOTER = "agents:"
_BEAMS = {FINING_BEAM: "!", CLEANING_BEAM: ":"}
_BARE = {"#": "#", "o": ",", "~": "~", "w": "~", "=": "=", "D": "d"}  # by map symbol
_BARE |= dict.fromkeys((".", SPAWN, *DIGITS), ".")
_FILLED = {"o": "o", "~": "w", "w": "w", "D": "D"}  # by map symbol
_CONTENTS = {
    "#": WALL,
    ".": EMPTY,
    ",": EMPTY,
    "o": APPLE,
    "~": RIVER,
    "=": RIVER,
    "w": WASTE,
    "D": WALL,
    "d": EMPTY,
}


def draw_game(batch: GameBatch, game: int = 0, *, beams: bool = False) -> str:
    """The drawing of a game's board, agents and headings, which `set_from_drawing` can read.

    Args:
        batch: holds the game.
        game: its index in the batch.
        beams: draw the last step's beams over everything, as `!` (fining) and `:` (cleaning). Such
            a drawing cannot be read back.
    """
    state = batch.state(np.array([game]))
    rows = [
        [_symbol(mark, content) for mark, content in zip(marks, contents, strict=True)]
        for marks, contents in zip(batch.spec.map.rows, state.contents[0].tolist(), strict=True)
    ]
    agents = []
    for number in np.lexsort(state.positions[0].T[::-1]):  # in reading order
        row, column = state.positions[0, number]
        symbol = rows[row][column]
        agents.append(f"{number}{symbol if symbol in _FILLED.values() else ''}")
        rows[row][column] = _ARROWS[state.headings[0, number]]
    if beams:
        for row, column in np.argwhere(state.beams[0]):
            rows[row][column] = _BEAMS[state.beams[0, row, column]]
    return "\n".join([*map("".join, rows), " ".join([_FOOTER, *agents])])


def set_from_drawing(
    batch: GameBatch, drawing: str, indices: npt.NDArray[np.int64] | None = None
) -> None:
    """Set the board, agents and headings of games as drawn, and leave the rest of their state.

    Args:
        batch: holds the games.
        drawing: of the form that `draw_game` returns.
        indices: int [M] which games; all if None.

    Raises:
        ValueError: if the drawing does not fit the game, its map or its number of agents.
    """
    drawn = parse_drawing(drawing)
    rows = batch.spec.map.rows
    if [len(row) for row in drawn.rows] != [len(row) for row in rows]:
        raise ValueError(f"the drawing must have {len(rows)} rows of {len(rows[0])} columns")
    if len(drawn.agents) != batch.spec.num_agents:
        raise ValueError(f"{len(drawn.agents)} agents drawn, wanted {batch.spec.num_agents}")
    contents = [
        [_content(drawn, rows, row, column) for column in range(len(rows[0]))]
        for row in range(len(rows))
    ]
    positions = [(agent.row, agent.column) for agent in drawn.agents]
    headings = [agent.heading for agent in drawn.agents]
    state = batch.state(indices)
    games = len(state.contents)
    drawn_state = replace(
        state,
        contents=np.repeat(np.array([contents], np.uint8), games, axis=0),
        beams=np.zeros_like(state.beams),
        positions=np.repeat(np.array([positions], np.int64), games, axis=0),
        headings=np.repeat(np.array([headings], np.int64), games, axis=0),
    )
    batch.restore(drawn_state, indices)


@dataclass(frozen=True)
class DrawnAgent:
    """An arrow of a drawing.

    Attributes:
        number: of the agent.
        row, column: of the arrow.
        heading: 0 up, 1 right, 2 down, 3 left.
        standing_on: the symbol of what it stands on, where the last line gives it.
    """

    number: int
    row: int
    column: int
    heading: int
    standing_on: str | None


@dataclass(frozen=True)
class DrawnGame:
    """A drawing, parsed.

    Attributes:
        rows: the board, one string per row.
        agents: in the order of their numbers.
    """

    rows: tuple[str, ...]
    agents: tuple[DrawnAgent, ...]


def parse_drawing(drawing: str) -> DrawnGame:
    """Parse a drawing without comparing it to a map.

    Raises:
        ValueError: if the last line does not number the arrows from 0.
    """
    rows = split_rows(drawing)
    footer = ""
    if rows and rows[-1].startswith(_FOOTER):
        *board, footer = rows
        rows = tuple(board)
    arrows = [
        (row, column, _ARROWS.index(symbol))
        for row, line in enumerate(rows)
        for column, symbol in enumerate(line)
        if symbol in _ARROWS
    ]
    words = footer.removeprefix(_FOOTER).split() or [str(k) for k in range(len(arrows))]
    labels = [_parse_label(word) for word in words]
    if sorted(number for number, _ in labels) != list(range(len(arrows))):
        raise ValueError(f"{len(arrows)} arrows are drawn, numbered {' '.join(words)}")
    agents = [
        DrawnAgent(number, row, column, heading, standing_on)
        for (row, column, heading), (number, standing_on) in zip(arrows, labels, strict=True)
    ]
    return DrawnGame(rows, tuple(sorted(agents, key=lambda agent: agent.number)))


def _parse_label(word: str) -> tuple[int, str | None]:
    """An agent's number and, if given, the symbol of what it stands on."""
    match = re.fullmatch(r"(\d+)(\D?)", word)
    if match is None:
        raise ValueError(f"an agent's label must be a number and perhaps a symbol, not {word!r}")
    return int(match[1]), match[2] or None


def _symbol(mark: str, content: int) -> str:
    """How a cell is drawn, by its symbol on the map and by what it holds."""
    filled = _FILLED.get(mark)
    return filled if filled and content == _CONTENTS[filled] else _BARE[mark]


def _content(drawn: DrawnGame, map_rows: tuple[str, ...], row: int, column: int) -> int:
    """What a drawn cell holds."""
    mark, symbol = map_rows[row][column], drawn.rows[row][column]
    for agent in drawn.agents:
        if (agent.row, agent.column) == (row, column):
            symbol = agent.standing_on or _BARE[mark]
    if symbol not in (_BARE[mark], _FILLED.get(mark)):
        problem = f"{symbol!r} drawn where the map has {mark!r}"
        raise map_error(drawn.rows[row], row, column, problem)
    return _CONTENTS[symbol]
