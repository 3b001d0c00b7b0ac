"""The random number generator: splitmix64 as published, and uniform numbers made from it."""

import numpy as np
import pytest

from ssd_envs.kernels.rng import next_state, random_bits, random_integer, uniform

MASK = 2**64 - 1


def literal_splitmix64(state):
    mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def test_random_bits_are_those_of_splitmix64():
    state, literal = np.uint64(1234567), 1234567
    for _ in range(100):
        state, literal = np.uint64(next_state(state)), (literal + 0x9E3779B97F4A7C15) & MASK
        assert int(state) == literal
        assert int(random_bits(state)) == literal_splitmix64(literal)
        assert uniform(state) == (literal_splitmix64(literal) >> 11) / 2**53


def test_random_integers_are_uniform():
    state, counts = np.uint64(0), np.zeros(7)
    for _ in range(7000):
        state = np.uint64(next_state(state))
        counts[random_integer(state, 7)] += 1
    assert counts == pytest.approx(np.full(7, 1000), abs=120)
