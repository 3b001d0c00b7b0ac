"""The game except its rules, so that actors and learners can import it without numba."""

from __future__ import annotations

from ssd_envs.games import BEAM_PARAMETERS, MOVES, Game

MAP = """
#############
#+.........+#
#...ooooo...#
#..ooooooo..#
#..ooooooo..#
#..ooooooo..#
#...ooooo...#
#+.........+#
#############
"""

COMMONS = Game(
    actions=(*MOVES, "fire", "sow"),
    symbols="#.+o",
    map=MAP,
    rules="own_game.rules:Commons",
    parameters=BEAM_PARAMETERS,
    own={"growth": 0.05, "sowing": 0.2},
    defaults={"agents": 3, "horizon": 250},
)
