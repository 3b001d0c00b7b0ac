"""Random numbers: one splitmix64 generator per game, whose whole state is one uint64.

So the random events of a game depend on its seed only, not on the batch or on its index there.
Usage in kernels: `state = next_state(state)`, then draw one number from that state.

Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014).
"""

from __future__ import annotations

import numpy as np

from ssd_envs.kernels.jit import kernel

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLIER_2 = np.uint64(0x94D049BB133111EB)
_TWO_TO_MINUS_53 = 2.0**-53


@kernel
def next_state(state: np.uint64) -> np.uint64:
    """Advance the generator."""
    return state + _GAMMA


@kernel
def random_bits(state: np.uint64) -> np.uint64:
    """64 random bits."""
    mixed = (state ^ (state >> np.uint64(30))) * _MULTIPLIER_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIER_2
    return mixed ^ (mixed >> np.uint64(31))


@kernel
def uniform(state: np.uint64) -> float:
    """A number from [0, 1)."""
    return (random_bits(state) >> np.uint64(11)) * _TWO_TO_MINUS_53


@kernel
def random_integer(state: np.uint64, count: int) -> int:
    """An integer from 0 to count - 1."""
    return int(uniform(state) * count)
