"""The few colours every picture is made of. A pixel is one byte: an index into the palette.

What a cell holds is written on the board as the very byte that shows it, so that a board is a
picture already, and only agents and beams have to be laid over it.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

EMPTY, WALL, APPLE, FINING_BEAM, CLEANING_BEAM, WASTE, RIVER, AGENT = range(8)
"""Palette indices; agent number k is `AGENT + k`."""

MAX_AGENTS = 256 - AGENT
"""What one byte per pixel leaves for agents."""

_THINGS = (
    (0, 0, 0),  # EMPTY: bare floor, and all that lies beyond the board
    (180, 180, 180),  # WALL
    (0, 255, 0),  # APPLE
    (255, 255, 0),  # FINING_BEAM
    (100, 255, 255),  # CLEANING_BEAM
    (99, 156, 194),  # WASTE
    (113, 75, 24),  # RIVER, and the stream
)
_FIRST_AGENTS = (
    (0, 0, 255),
    (2, 81, 154),
    (204, 0, 204),
    (216, 30, 54),
    (254, 151, 0),
    (160, 255, 100),  # its customary colour is the cleaning beam's: one could not tell them apart
    (99, 99, 255),
    (250, 204, 255),
    (238, 223, 16),
)
_APART = 18  # in at least one of red, green and blue, so that further agents can be told apart


def make_palette(num_agents: int) -> npt.NDArray[np.uint8]:
    """The colours of a game of so many agents: uint8 [AGENT + num_agents, 3], all distinct.

    Raises:
        ValueError: if an agent's index would not fit a byte.
    """
    if not 0 <= num_agents <= MAX_AGENTS:
        raise ValueError(f"a palette holds 0 to {MAX_AGENTS} agents, not {num_agents}")
    colours = [*_THINGS, *_FIRST_AGENTS[:num_agents]]
    for candidate in map(_scattered_colour, itertools.count(1)):
        if len(colours) == AGENT + num_agents:
            break
        if all(_distance(candidate, taken) >= _APART for taken in (*colours, *_FIRST_AGENTS)):
            colours.append(candidate)
    return np.array(colours, np.uint8)


def _scattered_colour(number: int) -> tuple[int, int, int]:
    """The n-th of a sequence that fills the bright part of the colour cube evenly."""
    # The generalised golden ratio of three dimensions: the root of x⁴ = x + 1.
    ratio = 1.2207440846057596
    red, green, blue = (64 + int(192 * math.modf(number / ratio**axis)[0]) for axis in (1, 2, 3))
    return red, green, blue


def _distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))
