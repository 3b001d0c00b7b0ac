"""Figures are rates between two readings, and medians of several."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from ssd_bench.load.figures import Figures, Reading, between, median

START = Reading(
    when=10.0,
    cpu=3.0,
    own_cpu=1.0,
    busy=2.0,
    own_steps=1000.0,
    updates=5.0,
    segments=10.0,
    checkpoints=1.0,
    made=12,
    waits=4,
    waited=7.0,
    resent=0,
    dropped=2,
)
END = Reading(
    when=14.0,
    cpu=6.0,
    own_cpu=1.5,
    busy=5.0,
    own_steps=5000.0,
    updates=15.0,
    segments=50.0,
    checkpoints=2.0,
    made=52,
    waits=14,
    waited=13.0,
    resent=1,
    dropped=2,
)


def test_rates_are_per_second_and_shares_of_the_time():
    assert asdict(between(START, END, actors=3, segment_bytes=200_000)) == {
        "seconds": 4.0,
        "segments_per_second": 10.0,
        "own_steps_per_second": 1000.0,
        "megabytes_per_second": 2.0,
        "updates_per_second": 2.5,
        "busy_share": 0.75,
        "cpu_share": 0.75,
        "cpu_microseconds": 750.0,
        "load_cpu_share": 0.125,
        "waits_per_segment": 0.25,
        "waiting_share": 0.5,
        "checkpoints": 1.0,
        "resent": 1,
        "dropped": 0,
    }


def test_a_window_in_which_nothing_happened_has_rates_of_zero():
    still = between(START, replace(START, when=11.0), actors=1, segment_bytes=1)
    assert still.waits_per_segment == still.cpu_microseconds == 0.0


def test_each_figure_is_the_median_of_its_own():
    figures = [
        between(START, replace(END, busy=busy, cpu=cpu), 3, 1)
        for busy, cpu in [(3.0, 6.0), (5.0, 4.0), (4.0, 5.0)]
    ]
    middle: Figures = median(figures)
    assert (middle.busy_share, middle.cpu_share) == pytest.approx((0.5, 0.5))
