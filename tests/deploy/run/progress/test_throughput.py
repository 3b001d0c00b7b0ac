"""The speed that is shown: a mean over several updates, and 0 without updates."""

import pytest

from ssd_run.progress.progress import AgentProgress
from ssd_run.progress.throughput import Throughput

NEW = (AgentProgress(), AgentProgress())


def agents(*own_steps, updates=1, complete=False):
    return [AgentProgress(own_steps=n, updates=updates, complete=complete) for n in own_steps]


def watched(speed, moments, *trained):
    """The speeds shown at these times, given the own-steps of each learner at a time."""
    return [speed.update(now, agents(*(each(now) for each in trained))) for now in moments]


def batches(size, every, late=0.0):
    """A learner that trains a batch of so many own-steps every so many seconds."""
    return lambda now: size * int(max(0.0, now - late) / every)


@pytest.mark.parametrize("every", [0.3, 1.0, 2.5, 7.0, 40.0])
def test_speed_is_the_same_between_updates_as_after_them(every):
    speed = Throughput(NEW)
    size = int(1000 * every)
    shown = watched(speed, range(400), batches(size, every), batches(size, every, late=every / 2))
    assert shown[-200:] == pytest.approx([2000] * 200, rel=0.25)
    assert sum(shown[-200:]) / 200 == pytest.approx(2000, rel=0.03)


def test_there_is_no_speed_before_every_learner_has_made_two_updates():
    speed = Throughput(NEW)
    shown = watched(speed, range(12), batches(500, 2), batches(500, 5))
    assert shown[:10] == [None] * 10
    assert shown[10] == pytest.approx(250 + 100)


def test_the_start_of_a_run_does_not_count_in_the_speed():
    speed = Throughput(NEW)
    shown = watched(speed, range(64), *[batches(600, 2, late=58)] * 2)
    assert shown[-1] == pytest.approx(600)


def test_speed_follows_a_run_that_becomes_faster_in_ten_seconds():
    speed = Throughput(NEW)
    watched(speed, range(100), *[batches(100, 1)] * 2)
    faster = watched(speed, range(100, 120), *[lambda now: 9900 + 300 * (int(now) - 99)] * 2)
    assert faster[10] == pytest.approx(600)


def test_the_speed_of_a_run_without_updates_falls_to_zero():
    speed = Throughput(NEW)
    watched(speed, range(40), *[batches(500, 5)] * 2)
    shown = watched(speed, range(40, 140), *[lambda _now: 3500] * 2)
    assert shown[0] == pytest.approx(200)
    assert shown == sorted(shown, reverse=True)
    assert shown[30] < 100
    assert shown[-1] == 0


def test_a_learner_without_updates_does_not_hide_the_speed_of_the_others():
    speed = Throughput(NEW)
    watched(speed, range(20), *[batches(100, 1)] * 2)
    shown = watched(speed, range(20, 120), batches(100, 1), lambda _now: 1900)
    assert shown[-1] == pytest.approx(100)


def test_a_learner_that_returns_to_its_checkpoint_has_no_negative_speed():
    speed = Throughput(NEW)
    shown = watched(speed, range(20), *[batches(100, 1)] * 2)
    shown += watched(speed, range(20, 40), *[batches(100, 1, late=10)] * 2)
    assert shown[2:] == pytest.approx([200] * 38, rel=0.1)


def test_a_complete_learner_does_not_hide_the_speed_of_the_others():
    speed = Throughput(NEW)
    for now in range(20):
        shown = speed.update(now, [*agents(100 * now), *agents(5000, complete=True)])
    assert shown == pytest.approx(100)


def test_the_speed_of_a_resumed_run_counts_only_its_own_updates():
    before = agents(1_000_000, 1_000_000, updates=90)
    speed = Throughput(before)
    shown = watched(speed, range(10), *[lambda now: 1_000_000 + 100 * int(now / 2)] * 2)
    assert shown[-1] == pytest.approx(100)


def test_the_steady_part_begins_when_all_have_updated_and_ends_when_the_first_is_complete():
    speed = Throughput(NEW)
    speed.update(0, agents(0, 0, updates=0))
    speed.update(10, [*agents(500), *agents(0, updates=0)])
    speed.update(20, agents(1000, 1000))
    speed.update(30, agents(2000, 2000))
    speed.update(40, [*agents(2000), *agents(2000, complete=True)])
    speed.update(90, agents(2000, 2000, complete=True))
    assert speed.steady == 200


def test_the_steady_part_of_a_resumed_run_begins_with_its_own_updates():
    speed = Throughput(agents(1000, 1000, updates=9))
    speed.update(0, agents(1000, 1000, updates=9))
    speed.update(10, agents(1100, 1100, updates=10))
    speed.update(20, agents(1600, 1600, updates=15))
    assert speed.steady == 100


def test_the_steady_part_consists_of_whole_batches():
    speed = Throughput(NEW)
    speed.update(0, agents(0, 0, updates=7))  # in the middle of its first
    for now in range(10, 59):
        speed.update(now, agents(*[500 * (now // 10)] * 2))
    assert speed.steady == 100


def test_a_run_too_short_for_a_steady_part_has_no_speed():
    speed = Throughput(NEW)
    speed.update(0, agents(0, 0, updates=0))
    speed.update(5, agents(100, 100))
    assert speed.steady is None
