"""The actor's end of the line to the world."""

import numpy as np
import pytest

from ssd_actors.env_client import EnvClient
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep

JOIN = Join(agent=1, actor_incarnation=5, fingerprint="this run")
UNKNOWN = Refused("this world does not know you: join again", fatal=False)


def seat(world=7):
    return Seat(world, 4, 7, 0, 2, 3, 100, 5, np.zeros((11, 3), np.uint8))


def timestep(tick, lane=0, world=7):
    return Timestep(
        env_incarnation=world,
        lane=lane,
        tick=tick,
        pixels=np.zeros((3, 5, 5), np.uint8),
        is_first=np.zeros(3, np.bool_),
        reward=np.zeros(3, np.float32),
        actions=np.zeros((3, 4), np.uint8),
        visible=np.zeros((3, 4), np.bool_),
    )


@pytest.fixture
def line(make_line):
    return make_line()


@pytest.fixture
def world(line, clock):
    """Before it was ever looked at."""
    return EnvClient(line, JOIN, 2, {"B": 3, "N": 4, "W": 5, "A": 7, "P": 11}, clock.read)


@pytest.fixture
def seated(world, line):
    """In world 7; what was sent until then is forgotten."""
    line.arrive(seat())
    look(world)
    line.take()
    return world


def look(world):
    """The ticks of all new timesteps, by lane."""
    return [(seen.lane, seen.tick) for seen in world.timesteps()]


def answer(world, line, tick, action, lane=0):
    """Take a timestep of the line and answer it."""
    line.arrive(timestep(tick, lane))
    (seen,) = world.timesteps()
    world.act(Act(seen.env_incarnation, seen.lane, seen.tick, np.array(action, np.uint8)))


def test_the_first_thing_it_says_is_join(world, line):
    assert look(world) == []
    (join,) = line.take()
    assert isinstance(join, Join)
    assert (join.agent, join.actor_incarnation, join.fingerprint) == (1, 5, "this run")


def test_timesteps_of_all_lanes_are_passed_on_once_seated(world, line):
    line.arrive(seat(), timestep(4), timestep(9, lane=1))
    assert look(world) == [(0, 4), (1, 9)]


@pytest.mark.parametrize("before", [[], [seat(8)]], ids=["no seat", "a seat in another world"])
def test_timesteps_of_a_world_it_is_not_seated_in_are_not_passed_on(world, line, before):
    line.arrive(*before, timestep(4, world=7))
    assert look(world) == []


def test_an_act_answers_its_timestep(seated, line):
    answer(seated, line, tick=4, action=[3, 0, 6], lane=1)
    (act,) = line.take()
    assert isinstance(act, Act)
    assert (act.env_incarnation, act.lane, act.tick, act.action.tolist()) == (7, 1, 4, [3, 0, 6])


def test_a_repeated_timestep_gets_the_very_same_act_and_is_not_passed_on(seated, line):
    answer(seated, line, tick=4, action=[3, 0, 6])
    line.arrive(timestep(4), timestep(4))
    assert look(seated) == []
    assert len(set(line.bytes_sent[-3:])) == 1
    assert len(line.take()) == 3


def test_a_repeated_timestep_that_is_not_answered_yet_is_passed_on_again(seated, line):
    line.arrive(timestep(4), timestep(4))
    assert look(seated) == [(0, 4), (0, 4)]
    assert line.take() == []


def test_a_timestep_long_answered_is_passed_over(seated, line):
    answer(seated, line, tick=4, action=[3, 0, 6])
    answer(seated, line, tick=5, action=[1, 1, 1])
    line.take()
    line.arrive(timestep(4))
    assert look(seated) == []
    assert line.take() == []


def test_after_a_second_without_a_seat_it_joins_again(world, line, clock):
    look(world)
    line.take()
    clock.now += 0.9
    look(world)
    assert line.take() == []
    clock.now += 0.2
    look(world)
    assert [type(message) for message in line.take()] == [Join]
    assert world.repeats == 2


def test_a_world_that_is_not_there_yet_is_asked_for_a_seat_ten_times_a_second(world, line, clock):
    line.blocked = True
    for _ in range(12):
        look(world)
        clock.now += 0.11
    line.blocked = False
    look(world)
    assert [type(message) for message in line.take()] == [Join]
    assert world.repeats == 1  # what could not be sent was not asked
    clock.now += 0.9
    look(world)
    assert line.take() == []


def test_after_a_second_of_silence_it_joins_again_though_it_has_a_seat(seated, line, clock):
    answer(seated, line, tick=4, action=[3, 0, 6])
    line.take()
    clock.now += 1.1
    look(seated)
    assert [type(message) for message in line.take()] == [Join]


def test_a_connection_on_which_it_asks_in_vain_is_given_up_for_another(seated, line, clock):
    for _ in range(5):
        clock.now += 1.1
        look(seated)
    assert not line.reopened
    clock.now += 1.1
    look(seated)
    assert line.reopened == 1
    line.take()
    clock.now += 0.2
    look(seated)
    assert [type(message) for message in line.take()] == [Join]
    clock.now += 4.0
    look(seated)
    assert line.reopened == 1


def test_a_connection_on_which_nothing_can_be_sent_is_given_up_too(seated, line, clock):
    line.blocked = True
    for _ in range(70):
        clock.now += 0.1
        look(seated)
    assert line.reopened == 1


def test_a_world_that_answers_late_keeps_its_connection(seated, line, clock):
    for _ in range(4):
        for _ in range(4):
            clock.now += 1.1
            look(seated)
        line.arrive(seat())
        look(seated)
    assert not line.reopened


def test_whatever_the_world_says_breaks_the_silence(seated, line, clock):
    answer(seated, line, tick=4, action=[3, 0, 6])
    line.take()
    clock.now += 0.9
    line.arrive(timestep(4, lane=1))
    look(seated)
    clock.now += 0.9
    look(seated)
    assert line.take() == []


def test_a_world_that_does_not_know_it_is_joined_again(seated, line):
    line.arrive(UNKNOWN)
    look(seated)
    assert [type(message) for message in line.take()] == [Join]


def test_a_refusal_that_is_fatal_ends_it(seated, line):
    line.arrive(Refused("another run", fatal=True))
    with pytest.raises(RefusedError, match="the world refused this actor: another run"):
        look(seated)


def test_a_new_world_begins_at_its_own_tick_0(seated, line):
    answer(seated, line, tick=4, action=[3, 0, 6])
    line.take()
    line.arrive(UNKNOWN, seat(8), timestep(0, world=8))
    assert look(seated) == [(0, 0)]


def test_timesteps_of_the_old_world_are_passed_over_in_the_new(seated, line):
    line.arrive(seat(8), timestep(9), timestep(0, world=8))
    assert look(seated) == [(0, 0)]


def test_an_act_for_the_old_world_does_not_hide_the_new_one_s_timesteps(seated, line):
    line.arrive(timestep(9), seat(8))
    (seen,) = seated.timesteps()  # held until there is room, and by then the world is another
    seated.act(Act(seen.env_incarnation, seen.lane, seen.tick, np.zeros(3, np.uint8)))
    line.arrive(timestep(0, world=8))
    assert look(seated) == [(0, 0)]


def test_who_joins_the_same_world_again_still_knows_its_answers(seated, line):
    answer(seated, line, tick=4, action=[3, 0, 6])
    line.arrive(UNKNOWN, seat(7), timestep(4))
    assert look(seated) == []
    act, join, again = line.take()
    assert isinstance(join, Join)
    assert again.action.tolist() == act.action.tolist() == [3, 0, 6]


def test_a_timestep_of_a_lane_that_the_run_has_not_is_counted_and_passed_over(seated, line):
    line.arrive(timestep(0, lane=2), timestep(0, lane=1))
    assert look(seated) == [(1, 0)]
    assert seated.protocol_errors == 1


@pytest.mark.parametrize("nonsense", [[b"nonsense"], [b""], []], ids=["bytes", "empty", "nothing"])
def test_what_is_no_message_is_counted_and_passed_over(seated, line, nonsense):
    line.arrive(nonsense, timestep(4))
    assert look(seated) == [(0, 4)]
    assert seated.protocol_errors == 1


def test_a_send_that_is_refused_is_healed_by_the_repeat(seated, line, clock):
    line.blocked = True
    answer(seated, line, tick=4, action=[3, 0, 6])
    line.blocked = False
    assert line.take() == []
    clock.now += 1.1
    look(seated)
    line.arrive(seat(), timestep(4))  # what a Join brings
    look(seated)
    _, act = line.take()
    assert (act.tick, act.action.tolist()) == (4, [3, 0, 6])


def test_a_timestep_of_a_lane_that_the_run_does_not_have_is_counted_and_dropped(seated, line):
    line.arrive(timestep(1, lane=2))
    assert look(seated) == []
    assert seated.protocol_errors == 1
