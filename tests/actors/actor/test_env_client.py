"""How an actor takes its seat in an environment, and answers timesteps."""

import numpy as np
import pytest

from ssd_actors.env_client import EnvClient
from ssd_wire.dims import Dims
from ssd_wire.errors import RefusedError, ReplacedError
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep

JOIN = Join(agent=1, actor_incarnation=5, fingerprint="this run")
UNKNOWN = Refused("unknown actor: join again", fatal=False)


def seat(env=7):
    return Seat(env, 4, 7, 0, 2, 3, 100, 5, np.zeros((11, 3), np.uint8))


def timestep(tick, lane=0, env=7):
    return Timestep(
        env_incarnation=env,
        lane=lane,
        tick=tick,
        pixels=np.zeros((3, 5, 5), np.uint8),
        is_first=np.zeros(3, np.bool_),
        reward=np.zeros(3, np.float32),
        actions=np.zeros((3, 4), np.uint8),
        visible=np.zeros((3, 4), np.bool_),
    )


@pytest.fixture
def client(connection, clock):
    """Before its first call."""
    return EnvClient(connection, JOIN, 2, Dims(B=3, N=4, W=5, A=7, P=11), clock.read)


@pytest.fixture
def seated(client, connection):
    """With a seat in environment 7; what was sent until then is not kept."""
    connection.arrive(seat())
    receive(client)
    connection.take_sent()
    return client


def receive(client):
    """Lane and tick of all new timesteps."""
    return [(timestep.lane, timestep.tick) for timestep in client.timesteps()]


def answer(client, connection, tick, action, lane=0):
    """Receive a timestep and answer it."""
    connection.arrive(timestep(tick, lane))
    (received,) = client.timesteps()
    client.send(Act(received.env_incarnation, lane, tick, False, np.array(action, np.uint8)))


def test_the_first_message_sent_is_join(client, connection):
    assert receive(client) == []
    (join,) = connection.take_sent()
    assert isinstance(join, Join)
    assert (join.agent, join.actor_incarnation, join.fingerprint) == (1, 5, "this run")


def test_timesteps_of_all_lanes_are_yielded_after_a_seat(client, connection):
    connection.arrive(seat(), timestep(4), timestep(9, lane=1))
    assert receive(client) == [(0, 4), (1, 9)]


@pytest.mark.parametrize("before", [[], [seat(8)]], ids=["no seat", "a seat elsewhere"])
def test_timesteps_of_an_environment_without_a_seat_are_ignored(client, connection, before):
    connection.arrive(*before, timestep(4, env=7))
    assert receive(client) == []


def test_join_is_repeated_if_its_seat_was_lost_though_timesteps_arrive(client, connection, clock):
    receive(client)
    connection.take_sent()
    for _ in range(3):  # an environment sends what is unanswered again and again
        clock.now += 0.4
        connection.arrive(timestep(4))
        receive(client)
    assert [type(message) for message in connection.take_sent()] == [Join]
    assert not connection.reopened


def test_an_act_answers_its_timestep(seated, connection):
    answer(seated, connection, tick=4, action=[3, 0, 6], lane=1)
    (act,) = connection.take_sent()
    assert isinstance(act, Act)
    assert (act.env_incarnation, act.lane, act.tick, act.action.tolist()) == (7, 1, 4, [3, 0, 6])


def test_a_repeated_timestep_gets_the_very_same_act_and_is_not_yielded(seated, connection):
    answer(seated, connection, tick=4, action=[3, 0, 6])
    connection.arrive(timestep(4), timestep(4))
    assert receive(seated) == []
    assert len(set(connection.sent_bytes[-3:])) == 1
    assert len(connection.take_sent()) == 3


def test_a_repeated_timestep_without_an_answer_yet_is_yielded_again(seated, connection):
    connection.arrive(timestep(4), timestep(4))
    assert receive(seated) == [(0, 4), (0, 4)]
    assert connection.take_sent() == []


def test_a_timestep_before_the_last_one_answered_is_ignored(seated, connection):
    answer(seated, connection, tick=4, action=[3, 0, 6])
    answer(seated, connection, tick=5, action=[1, 1, 1])
    connection.take_sent()
    connection.arrive(timestep(4))
    assert receive(seated) == []
    assert connection.take_sent() == []


def test_join_is_repeated_after_a_second_without_a_seat(client, connection, clock):
    receive(client)
    connection.take_sent()
    clock.now += 0.9
    receive(client)
    assert connection.take_sent() == []
    clock.now += 0.2
    receive(client)
    assert [type(message) for message in connection.take_sent()] == [Join]
    assert client.retries == 2


def test_join_is_tried_ten_times_a_second_until_it_can_be_sent(client, connection, clock):
    connection.is_blocked = True
    for _ in range(12):
        receive(client)
        clock.now += 0.11
    connection.is_blocked = False
    receive(client)
    assert [type(message) for message in connection.take_sent()] == [Join]
    assert client.retries == 1  # one that could not be sent does not count
    clock.now += 0.9
    receive(client)
    assert connection.take_sent() == []


def test_join_is_repeated_after_a_second_of_silence_even_with_a_seat(seated, connection, clock):
    answer(seated, connection, tick=4, action=[3, 0, 6])
    connection.take_sent()
    clock.now += 1.1
    receive(seated)
    assert [type(message) for message in connection.take_sent()] == [Join]


def test_a_connection_without_answers_is_replaced(seated, connection, clock):
    for _ in range(5):
        clock.now += 1.1
        receive(seated)
    assert not connection.reopened
    clock.now += 1.1
    receive(seated)
    assert connection.reopened == 1
    connection.take_sent()
    clock.now += 0.2
    receive(seated)
    assert [type(message) for message in connection.take_sent()] == [Join]
    clock.now += 4.0
    receive(seated)
    assert connection.reopened == 1


def test_a_connection_on_which_nothing_can_be_sent_is_replaced_too(seated, connection, clock):
    connection.is_blocked = True
    for _ in range(70):
        clock.now += 0.1
        receive(seated)
    assert connection.reopened == 1


def test_a_connection_with_late_answers_is_kept(seated, connection, clock):
    for _ in range(4):
        for _ in range(4):
            clock.now += 1.1
            receive(seated)
        connection.arrive(seat())
        receive(seated)
    assert not connection.reopened


def test_any_message_restarts_the_second_of_silence(seated, connection, clock):
    answer(seated, connection, tick=4, action=[3, 0, 6])
    connection.take_sent()
    clock.now += 0.9
    connection.arrive(timestep(4, lane=1))
    receive(seated)
    clock.now += 0.9
    receive(seated)
    assert connection.take_sent() == []


def test_an_environment_that_does_not_know_the_actor_is_sent_join(seated, connection):
    connection.arrive(UNKNOWN)
    receive(seated)
    assert [type(message) for message in connection.take_sent()] == [Join]


def test_a_fatal_refusal_ends_the_actor(seated, connection):
    connection.arrive(Refused("another run", fatal=True))
    with pytest.raises(RefusedError, match="the environment refused this actor: another run"):
        receive(seated)


def test_an_actor_that_was_replaced_ends_as_such(seated, connection):
    connection.arrive(Refused("a newer process plays agent 1", fatal=True, replaced=True))
    with pytest.raises(ReplacedError, match="a newer process plays agent 1"):
        receive(seated)


def test_a_restarted_environment_begins_at_its_own_tick_0(seated, connection):
    answer(seated, connection, tick=4, action=[3, 0, 6])
    connection.take_sent()
    connection.arrive(UNKNOWN, seat(8), timestep(0, env=8))
    assert receive(seated) == [(0, 0)]


def test_timesteps_of_the_old_environment_are_ignored_in_the_new_one(seated, connection):
    connection.arrive(seat(8), timestep(9), timestep(0, env=8))
    assert receive(seated) == [(0, 0)]


def test_an_act_for_the_old_environment_does_not_hide_the_new_one_s_timesteps(seated, connection):
    connection.arrive(timestep(9), seat(8))
    (old,) = seated.timesteps()  # answered only when there is room, after the restart
    seated.send(Act(old.env_incarnation, old.lane, old.tick, False, np.zeros(3, np.uint8)))
    connection.arrive(timestep(0, env=8))
    assert receive(seated) == [(0, 0)]


def test_answers_are_kept_when_the_actor_joins_the_same_environment_again(seated, connection):
    answer(seated, connection, tick=4, action=[3, 0, 6])
    connection.arrive(UNKNOWN, seat(7), timestep(4))
    assert receive(seated) == []
    act, join, again = connection.take_sent()
    assert isinstance(join, Join)
    assert again.action.tolist() == act.action.tolist() == [3, 0, 6]


def test_a_timestep_of_a_lane_that_the_run_does_not_have_is_counted_and_ignored(seated, connection):
    connection.arrive(timestep(0, lane=2), timestep(0, lane=1))
    assert receive(seated) == [(1, 0)]
    assert seated.protocol_errors == 1


@pytest.mark.parametrize("nonsense", [[b"nonsense"], [b""], []], ids=["bytes", "empty", "nothing"])
def test_invalid_messages_are_counted_and_ignored(seated, connection, nonsense):
    connection.arrive(nonsense, timestep(4))
    assert receive(seated) == [(0, 4)]
    assert seated.protocol_errors == 1


def test_an_act_that_was_not_sent_is_sent_when_its_timestep_is_repeated(seated, connection, clock):
    connection.is_blocked = True
    answer(seated, connection, tick=4, action=[3, 0, 6])
    connection.is_blocked = False
    assert connection.take_sent() == []
    clock.now += 1.1
    receive(seated)
    connection.arrive(seat(), timestep(4))  # the answer to Join
    receive(seated)
    _, act = connection.take_sent()
    assert (act.tick, act.action.tolist()) == (4, [3, 0, 6])
