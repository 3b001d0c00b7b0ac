"""Every agent and every arena is watched; frozen processes excuse those that wait for them."""

import pytest
from tests.chaos.faults import DISK, FORK_SERVER, FREEZE, FULL_DISK, KILL, Fault
from tests.chaos.watch import ALL_COUNTERS, LONGEST, Watch, stopped_by


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock):
    watch = Watch(clock)
    watch.update({"agent 0": 0, "arena 1": 0})
    return watch


def test_a_counter_that_does_not_grow_is_found_but_not_while_it_is_stopped(watch, clock):
    clock.now += LONGEST + 1
    assert not watch.update({"agent 0": 1, "arena 1": 0}, stopped={"arena 1"})
    clock.now += LONGEST + 1

    (found,) = watch.update({"agent 0": 2, "arena 1": 0})

    assert "arena 1" in found


def test_a_recovery_ends_when_all_counters_have_grown_and_stopped_time_does_not_count(watch, clock):
    watch.after(Fault(KILL, "actor-1-0", pause=0))
    clock.now = 2
    watch.update({"agent 0": 1, "arena 1": 0})
    clock.now = 50
    watch.update({"agent 0": 1, "arena 1": 0}, stopped={"arena 1"})
    assert not watch.recovered
    clock.now = 53

    watch.update({"agent 0": 1, "arena 1": 1})

    assert [one.seconds for one in watch.recovered] == [3]
    assert not watch.waiting


@pytest.mark.parametrize(
    ("roles", "stopped"),
    [
        (["actor-1-2"], {"arena 1"}),
        (["env-0", FORK_SERVER], {"arena 0"}),
        (["actor-0-1", "env-1"], ALL_COUNTERS),
        (["learner-0"], ALL_COUNTERS),
    ],
)
def test_a_frozen_process_stops_what_waits_for_it(roles, stopped):
    assert stopped_by(Fault(FREEZE, role, pause=0, seconds=1) for role in roles) == stopped


def test_a_full_disk_stops_everything():
    assert stopped_by([Fault(FULL_DISK, DISK, pause=0, seconds=1)]) == ALL_COUNTERS
