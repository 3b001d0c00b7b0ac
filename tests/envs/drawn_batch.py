"""A batch of games whose map and state are drawn, as `ssd_envs.drawing` describes."""

import numpy as np

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import parse_drawing, set_from_drawing
from ssd_envs.games import get_game
from ssd_envs.maps.game_map import SPAWN, has_digits
from ssd_envs.spec import GameSettings


def drawn_batch(name, drawing, num_games=1, **settings):
    """A batch whose games all stand as drawn, on a map made from the drawing.

    Game b has the seed b. Every cell drawn as floor is a spawn cell of the map; in a game whose
    maps number the start cells, agents start where they are drawn. `settings` are further fields of
    `GameSettings`.
    """
    drawn = parse_drawing(drawing)
    numbered = has_digits(get_game(name).symbols)
    fields = {"agents": len(drawn.agents), "map": map_of(drawn, numbered=numbered), **settings}
    batch = GameBatch(GameSettings.model_validate({"name": name, **fields}), num_games)
    batch.reset(np.arange(num_games, dtype=np.uint64))
    set_from_drawing(batch, drawing)
    return batch


def map_of(drawn, *, numbered):
    """The map of a drawing: without agents, all apples and doors as they are at reset."""
    map_symbols = str.maketrans({",": "o", "d": "D", ".": "." if numbered else SPAWN})
    rows = [list(row.translate(map_symbols)) for row in drawn.rows]
    for agent in drawn.agents:
        start = str(agent.number) if numbered else SPAWN
        standing_on = agent.standing_on
        symbol = start if standing_on is None else standing_on.translate(map_symbols)
        rows[agent.row][agent.column] = symbol
    return "\n".join(map("".join, rows))
