"""Games as text: read a state as a drawing, set a state from a drawing.

The symbols are those of maps, with these changes: `,` is an apple cell without its apple (`o` has
it), `w` and `~` are river with waste and without, `D` is a shut door and `d` an open one, start
cells are floor (`.`), and an agent is an arrow along its heading: `^ > v <`. A last line numbers
the arrows in reading order and, where it matters, tells what they stand on. Here number 1 is on the
left and stands on waste:

    #######
    #>.o,<#
    #######
    agents: 1w 0

Without that line, agents are numbered in reading order and stand on bare ground.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ssd_envs.batch import GameBatch
from ssd_envs.games import game_of
from ssd_envs.maps.game_map import NUMBERS, SPAWN, is_numbered
from ssd_envs.maps.parser import refusal, rows_of
from ssd_envs.palette import APPLE, CLEANING_BEAM, EMPTY, FINING_BEAM, RIVER, WALL, WASTE
from ssd_envs.spec import GameSettings

_ARROWS = "^>v<"
_FOOTER = "agents:"
_BEAMS = {FINING_BEAM: "!", CLEANING_BEAM: ":"}
_BARE = {"#": "#", "o": ",", "~": "~", "w": "~", "=": "=", "D": "d"}  # by map symbol
_BARE |= dict.fromkeys((".", SPAWN, *NUMBERS), ".")
_LADEN = {"o": "o", "~": "w", "w": "w", "D": "D"}
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


def draw(batch: GameBatch, game: int = 0, *, beams: bool = False) -> str:
    """A game's board, agents and headings as a drawing that `stage` reads back.

    Args:
        batch: where the game is.
        game: which one.
        beams: draw the last step's beams over everything, as `!` (fining) and `:` (cleaning);
            such a drawing is to be looked at and cannot be read back.
    """
    state = batch.state(np.array([game]))
    rows = [
        [_symbol(mark, content) for mark, content in zip(marks, contents, strict=True)]
        for marks, contents in zip(batch.spec.map.rows, state.cells[0].tolist(), strict=True)
    ]
    agents = []
    for number in np.lexsort(state.places[0].T[::-1]):  # in reading order
        row, column = state.places[0, number]
        ground = rows[row][column]
        agents.append(f"{number}{ground if ground in _LADEN.values() else ''}")
        rows[row][column] = _ARROWS[state.headings[0, number]]
    if beams:
        for row, column in np.argwhere(state.beams[0]):
            rows[row][column] = _BEAMS[state.beams[0, row, column]]
    return "\n".join([*map("".join, rows), " ".join([_FOOTER, *agents])])


def stage(batch: GameBatch, drawing: str, games: npt.NDArray[np.int64] | None = None) -> None:
    """Set the board, agents and headings of games as drawn. Clock, luck and accounts stay.

    Args:
        batch: where the games are.
        drawing: as `draw` makes them.
        games: int [M] which games; all if None.

    Raises:
        ValueError: if the drawing does not fit the batch's map or number of agents; it shows row
            and column.
    """
    _stage(batch, _read(drawing), games)


def scene(name: str, drawing: str, games: int = 1, **settings: Any) -> GameBatch:
    """A batch whose map is this drawing's, and whose games all stand as drawn.

    Game b is seeded with b. Every cell drawn as floor is a spawn cell of the map; in a game whose
    maps number the starts, agents start where they are drawn.

    Args:
        name: the game.
        drawing: as for `stage`.
        games: how many.
        settings: further fields of `GameSettings`.

    Raises:
        ValueError: if the drawing or the settings are refused.
    """
    drawn = _read(drawing)
    numbered = is_numbered(game_of(name).symbols)
    game_map = _map_of(drawn, numbered=numbered)
    batch = GameBatch(
        GameSettings.model_validate(
            {"name": name, "agents": len(drawn.agents), "map": game_map, **settings}
        ),
        games,
    )
    batch.reset(np.arange(games, dtype=np.uint64))
    _stage(batch, drawn, None)
    return batch


def _map_of(drawn: _Drawn, *, numbered: bool) -> str:
    bare = str.maketrans({",": "o", "d": "D", ".": "." if numbered else SPAWN})
    rows = [list(row.translate(bare)) for row in drawn.rows]
    for agent in drawn.agents:
        start = str(agent.number) if numbered else SPAWN
        ground = start if agent.ground is None else agent.ground.translate(bare)
        rows[agent.row][agent.column] = ground
    return "\n".join(map("".join, rows))


@dataclass(frozen=True)
class _Agent:
    number: int
    row: int
    column: int
    heading: int
    ground: str | None  # the symbol of what it stands on, where the drawing says so


@dataclass(frozen=True)
class _Drawn:
    rows: tuple[str, ...]
    agents: tuple[_Agent, ...]  # by number


def _read(drawing: str) -> _Drawn:
    rows = rows_of(drawing)
    footer = ""
    if rows and rows[-1].startswith(_FOOTER):
        *above, footer = rows
        rows = tuple(above)
    arrows = [
        (row, column, _ARROWS.index(symbol))
        for row, line in enumerate(rows)
        for column, symbol in enumerate(line)
        if symbol in _ARROWS
    ]
    words = footer.removeprefix(_FOOTER).split() or [str(k) for k in range(len(arrows))]
    labels = [_read_label(word) for word in words]
    if sorted(number for number, _ in labels) != list(range(len(arrows))):
        raise ValueError(f"{len(arrows)} arrows are drawn, numbered {' '.join(words)}")
    agents = [
        _Agent(number, row, column, heading, ground)
        for (row, column, heading), (number, ground) in zip(arrows, labels, strict=True)
    ]
    return _Drawn(rows, tuple(sorted(agents, key=lambda agent: agent.number)))


def _read_label(word: str) -> tuple[int, str | None]:
    """An agent's number and, where it is said, the symbol of what it stands on."""
    match = re.fullmatch(r"(\d+)(\D?)", word)
    if match is None:
        raise ValueError(f"an agent's label is a number and perhaps a symbol, not {word!r}")
    return int(match[1]), match[2] or None


def _stage(batch: GameBatch, drawn: _Drawn, games: npt.NDArray[np.int64] | None) -> None:
    rows = batch.spec.map.rows
    if [len(row) for row in drawn.rows] != [len(row) for row in rows]:
        raise ValueError(f"the drawing must have {len(rows)} rows of {len(rows[0])} columns")
    if len(drawn.agents) != batch.spec.num_agents:
        raise ValueError(f"{len(drawn.agents)} agents drawn, wanted {batch.spec.num_agents}")
    cells = [
        [_content(drawn, rows, row, column) for column in range(len(rows[0]))]
        for row in range(len(rows))
    ]
    places = [(agent.row, agent.column) for agent in drawn.agents]
    headings = [agent.heading for agent in drawn.agents]
    state = batch.state(games)
    staged = replace(
        state,
        cells=np.repeat(np.array([cells], np.uint8), len(state.cells), axis=0),
        beams=np.zeros_like(state.beams),
        places=np.repeat(np.array([places], np.int64), len(state.cells), axis=0),
        headings=np.repeat(np.array([headings], np.int64), len(state.cells), axis=0),
    )
    batch.restore(staged, games)


def _symbol(mark: str, content: int) -> str:
    laden = _LADEN.get(mark)
    return laden if laden and content == _CONTENTS[laden] else _BARE[mark]


def _content(drawn: _Drawn, rows: tuple[str, ...], row: int, column: int) -> int:
    mark, symbol = rows[row][column], drawn.rows[row][column]
    for agent in drawn.agents:
        if (agent.row, agent.column) == (row, column):
            symbol = agent.ground or _BARE[mark]
    if symbol not in (_BARE[mark], _LADEN.get(mark)):
        wrong = f"{symbol!r} drawn where the map has {mark!r}"
        raise refusal(drawn.rows[row], row, column, wrong)
    return _CONTENTS[symbol]
