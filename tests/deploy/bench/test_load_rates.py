"""ssd-load prints rates between consecutive readings."""

from __future__ import annotations

import pytest

from ssd_bench.load import rates

# own-steps, updates, seconds in updates, the learner's CPU, the load's, the time
START = (1000.0, 5.0, 2.0, 3.0, 1.0, 10.0)
END = (5000.0, 15.0, 5.0, 6.0, 1.5, 14.0)


def test_rates_are_per_second_and_shares_of_the_time():
    assert rates([START, END], segment_steps=100) == {
        "own-steps/s": (1000.0,),
        "segments/s": (10.0,),
        "updates/s": (2.5,),
        "in updates": (0.75,),
        "CPU": (0.75,),
        "CPU µs": (pytest.approx(750.0),),
        "load's CPU": (0.125,),
    }


def test_a_window_in_which_nothing_happened_has_rates_of_zero():
    still = rates([START, (*START[:-1], 11.0)], 100)
    assert set(still.values()) == {(0.0,)}


def test_each_window_has_its_own_rates():
    later = (7000.0, 15.0, 5.0, 6.0, 1.5, 15.0)
    assert rates([START, END, later], 100)["own-steps/s"] == (1000.0, 2000.0)
