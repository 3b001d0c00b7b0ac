"""Runs with faults, in simulated time, keep all rules; `history.py` says how they are made."""

import pytest
from tests.simulation.history import run_history
from tests.simulation.trace import lines

BLOCK = 125


@pytest.mark.parametrize("block", range(8))
def test_all_rules_hold_whatever_fails(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        history = run_history(seed)
        assert history.fault is None, "\n".join(lines(history))


@pytest.mark.parametrize("seed", [3, 50])
def test_the_same_seed_gives_the_same_history(seed):
    assert list(lines(run_history(seed))) == list(lines(run_history(seed)))
