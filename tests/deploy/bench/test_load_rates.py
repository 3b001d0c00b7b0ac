"""What ssd-load tells are rates between two readings."""

from __future__ import annotations

import pytest

from ssd_bench.load import rates

START = {
    "own-steps": 1000.0,
    "updates": 5.0,
    "in updates": 2.0,
    "CPU": 3.0,
    "load's CPU": 1.0,
    "s": 10.0,
}
END = {
    "own-steps": 5000.0,
    "updates": 15.0,
    "in updates": 5.0,
    "CPU": 6.0,
    "load's CPU": 1.5,
    "s": 14.0,
}


def test_rates_are_per_second_and_shares_of_the_time():
    assert rates(START, END, segment_steps=100) == {
        "own-steps/s": 1000.0,
        "segments/s": 10.0,
        "updates/s": 2.5,
        "in updates": 0.75,
        "CPU": 0.75,
        "CPU µs": pytest.approx(750.0),
        "load's CPU": 0.125,
    }


def test_a_window_in_which_nothing_happened_has_rates_of_zero():
    assert set(rates(START, START | {"s": 11.0}, 100).values()) == {0.0}
