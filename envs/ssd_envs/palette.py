"""The palette. All pictures consist of a few colours, so a pixel is one byte: a palette index.

What a cell holds is stored as the palette index that shows it. So the stored board is already a
picture, and only agents and beams have to be drawn over it.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

EMPTY, WALL, APPLE, FINING_BEAM, CLEANING_BEAM, WASTE, RIVER, AGENT = range(8)
"""Palette indices; agent number k is `AGENT + k`."""

MAX_AGENTS = 256 - AGENT
"""The number of palette indices left for agents."""

_BOARD_COLOURS = (
    (0, 0, 0),  # EMPTY: bare floor, and everything beyond the board
    (180, 180, 180),  # WALL
    (0, 255, 0),  # APPLE
    (255, 255, 0),  # FINING_BEAM
    (100, 255, 255),  # CLEANING_BEAM
    (99, 156, 194),  # WASTE
    (113, 75, 24),  # RIVER, and the stream
)
_FIRST_AGENT_COLOURS = (
    (0, 0, 255),
    (2, 81, 154),
    (204, 0, 204),
    (216, 30, 54),
    (254, 151, 0),
    (160, 255, 100),  # the published colour of this agent is that of the cleaning beam
    (99, 99, 255),
    (250, 204, 255),
    (238, 223, 16),
)
_MIN_DISTANCE = 18  # in at least one of red, green and blue


def make_palette(num_agents: int) -> npt.NDArray[np.uint8]:
    """The colours of a game of so many agents: uint8 [AGENT + num_agents, 3], all distinct.

    Raises:
        ValueError: if there are more agents than palette indices.
    """
    if not 0 <= num_agents <= MAX_AGENTS:
        raise ValueError(f"a palette holds 0 to {MAX_AGENTS} agents, not {num_agents}")
    colours = [*_BOARD_COLOURS, *_FIRST_AGENT_COLOURS[:num_agents]]
    for candidate in map(_quasirandom_colour, itertools.count(1)):
        if len(colours) == AGENT + num_agents:
            break
        taken = (*colours, *_FIRST_AGENT_COLOURS)
        if all(_distance(candidate, colour) >= _MIN_DISTANCE for colour in taken):
            colours.append(candidate)
    return np.array(colours, np.uint8)


def _quasirandom_colour(n: int) -> tuple[int, int, int]:
    """The n-th point of a low-discrepancy sequence in the bright part of the colour cube."""
    # The golden ratio generalised to three dimensions: the root of x⁴ = x + 1.
    ratio = 1.2207440846057596
    red, green, blue = (64 + int(192 * math.modf(n / ratio**axis)[0]) for axis in (1, 2, 3))
    return red, green, blue


def _distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
