"""Random numbers: one splitmix64 generator per game, whose whole state is one uint64.

So a game's luck depends on its seed and on nothing else: not on the batch, nor on its place there.
Usage in kernels: `state = after(state)`, then one number out of that state.

Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np

from ssd_envs.kernels.jit import kernel

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


@kernel
def after(state: np.uint64) -> np.uint64:
    """The state that follows."""
    return state + _GAMMA


@kernel
def bits(state: np.uint64) -> np.uint64:
    """64 random bits."""
    mixed = (state ^ (state >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))


@kernel
def unit(state: np.uint64) -> float:
    """A number from [0, 1)."""
    return (bits(state) >> np.uint64(11)) * _TO_UNIT


@kernel
def below(state: np.uint64, count: int) -> int:
    """A whole number from 0 to count - 1."""
    return int(unit(state) * count)
