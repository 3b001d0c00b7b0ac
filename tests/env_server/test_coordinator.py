"""Which actors get a seat, which acts count, and which timesteps are sent again."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_env_server.seats import MAX_REPLACED
from ssd_wire.codec import encode
from ssd_wire.messages import Act, Bye, Join, Refused, Seat, Timestep


def kinds(sent):
    return [type(message) for _, message in sent]


def timesteps(sent, peer=None):
    return [
        message
        for to, message in sent
        if isinstance(message, Timestep) and (peer is None or to == peer)
    ]


def places(sent):
    return [(step.lane, step.tick) for step in timesteps(sent)]


def test_a_join_is_answered_with_a_seat_and_the_timestep_of_every_lane(make_env, peer_name):
    env = make_env()
    sent = env.join(1)
    assert kinds(sent) == [Seat, Timestep, Timestep]
    assert {peer for peer, _ in sent} == {peer_name(1, 1)}
    assert places(sent) == [(0, 0), (1, 0)]


def test_the_seat_message_has_the_shapes_of_the_environment(make_env):
    [(_, seat), *_] = make_env(agents=2, lanes=3, games=4).join(0)
    assert (seat.agents, seat.lanes, seat.games) == (2, 3, 4)
    assert (seat.actions, seat.view, seat.horizon) == (8, 15, 12)
    assert seat.palette.max() == 255


def test_a_repeated_join_is_answered_with_the_timesteps_that_are_still_unanswered(env):
    env.act(0, tick=0, lane=1)
    sent = env.join(0)
    assert kinds(sent) == [Seat, Timestep]
    assert places(sent) == [(0, 0)]
    assert len(env.coordinator.seats) == 3


def test_an_actor_of_another_run_is_refused_fatally_with_both_fingerprints(make_env):
    env = make_env()
    [(_, refused)] = env.join(0, fingerprint="feedfeedfeedfeed")
    assert refused.fatal
    assert "feedfeedfeedfeed" in refused.reason
    assert env.coordinator.fingerprint in refused.reason
    assert len(env.coordinator.seats) == 0


def test_an_agent_that_the_game_does_not_have_is_refused_fatally(make_env):
    [(_, refused)] = make_env(agents=3).join(3)
    assert refused.fatal
    assert "3" in refused.reason


def test_an_actor_joins_only_as_the_agent_whose_key_it_has(make_env):
    env = make_env()
    env.socket.sender = "actor-1"
    refused = env.join(2)[0][1]
    assert (refused.reason, refused.fatal) == ("its key is that of actor-1, not of actor-2", True)
    assert isinstance(env.join(1)[0][1], Seat)


def test_a_new_incarnation_takes_the_seat_and_the_old_one_is_refused_at_once(env, peer_name):
    (to, refused), *rest = env.join(0, incarnation=2)
    assert to == peer_name(0, 1)
    assert isinstance(refused, Refused)
    assert refused.fatal
    assert [peer for peer, _ in rest] == [peer_name(0, 2)] * 3
    assert len(env.coordinator.seats) == 3


def test_a_replaced_incarnation_that_acts_is_asked_to_join_and_then_refused_fatally(env):
    env.join(0, incarnation=2)
    [(_, refused)] = env.act(0, tick=0)
    assert not refused.fatal
    [(_, refused)] = env.join(0)
    assert refused.fatal
    assert "newer" in refused.reason
    assert refused.replaced


def test_a_replaced_incarnation_cannot_come_back_over_another_connection(env):
    env.join(0, incarnation=2)
    [(_, refused)] = env.join(0, incarnation=1, peer=b"elsewhere")
    assert refused.fatal


def test_an_incarnation_on_a_second_connection_is_answered_on_that_one_only(env, peer_name):
    second = b"actor-0-elsewhere"
    sent = env.join(0, incarnation=1, peer=second)
    assert kinds(sent) == [Seat, Timestep, Timestep]
    assert {peer for peer, _ in sent} == {second}
    assert env.send(second, env.scripted(0, tick=0)) == []
    [(peer, refused)] = env.act(0, tick=0, lane=1)  # over the first one
    assert peer == peer_name(0, 1)
    assert not refused.fatal
    env.act(1, tick=0)
    assert peer_name(0, 1) not in dict(env.act(2, tick=0))
    assert len(env.coordinator.seats) == 3


def test_the_newest_of_two_connections_is_answered_however_often_they_change(env, peer_name):
    for peer in (b"actor-0-elsewhere", peer_name(0, 1)) * 3:
        assert {to for to, _ in env.join(0, incarnation=1, peer=peer)} == {peer}
    assert env.act(0, tick=0) == []


@pytest.mark.parametrize(("agent", "incarnation"), [(1, 1), (0, 2)])
def test_a_connection_plays_one_agent_in_one_incarnation(env, peer_name, agent, incarnation):
    [(_, refused)] = env.join(agent, incarnation, peer=peer_name(0, 1))
    assert refused.fatal
    assert len(env.coordinator.seats) == 3


def test_a_lane_is_stepped_when_all_agents_have_acted_and_not_before(env):
    assert env.act(0, tick=0) == []
    assert env.act(2, tick=0) == []
    assert places(env.act(1, tick=0)) == [(0, 1)] * 3


def test_lanes_do_not_wait_for_each_other(env):
    for tick in range(5):
        env.everyone_acts(tick, lane=1)
    assert [lane.tick for lane in env.coordinator.lanes] == [0, 5]


def test_the_first_act_for_a_tick_counts(env):
    env.act(0, tick=0, action=5)
    assert env.act(0, tick=0, action=2) == []
    env.act(1, tick=0)
    step, *_ = timesteps(env.act(2, tick=0))
    assert (step.actions[:, 0] == 5).all()
    assert env.coordinator.counts.repeated_acts == 1


def test_an_act_for_an_old_tick_is_ignored_and_counted(env):
    env.everyone_acts(0)
    assert env.act(0, tick=0, action=3) == []
    step, *_ = timesteps(env.everyone_acts(1, actions=[5, 5, 5]))
    assert (step.actions == 5).all()
    assert env.coordinator.counts.repeated_acts == 1


def test_an_accepted_act_counts_and_the_new_incarnation_enters_at_the_next_tick(env, peer_name):
    env.act(0, tick=0, action=6)
    assert places(env.join(0, incarnation=2)) == [(1, 0)]
    env.act(1, tick=0)
    sent = env.act(2, tick=0)
    [step] = timesteps(sent, peer_name(0, 2))
    assert (step.lane, step.tick) == (0, 1)
    assert (step.actions[:, 0] == 6).all()
    assert timesteps(sent, peer_name(0, 1)) == []


def test_an_actor_without_a_seat_is_asked_to_join_again(make_env):
    [(_, refused)] = make_env().act(0, tick=0)
    assert not refused.fatal
    assert "join again" in refused.reason


def test_an_act_for_the_environment_incarnation_before_is_answered_with_join_again(env):
    [(_, refused)] = env.act(0, tick=0, env_incarnation=env.incarnation + 1)
    assert not refused.fatal
    assert env.join(0)


def test_an_unanswered_timestep_is_sent_again_once_a_second(env, peer_name):
    env.everyone_acts(0)
    env.act(0, tick=1)
    env.now = 0.9
    assert env.serve() == []
    env.now = 1.1
    again = env.serve()
    assert [(step.lane, step.tick) for step in timesteps(again, peer_name(1, 1))] == [
        (0, 1),
        (1, 0),
    ]
    assert [(step.lane, step.tick) for step in timesteps(again, peer_name(0, 1))] == [(1, 0)]
    assert env.serve() == []
    env.now = 2.2
    assert len(env.serve()) == len(again)


def test_a_new_timestep_is_not_sent_again_before_a_second_has_passed(make_env):
    env = make_env(lanes=1)
    for agent in range(3):
        env.join(agent)
    env.now = 1.5
    env.serve()
    env.now = 2.4
    env.everyone_acts(0)
    env.now = 3.3
    assert env.serve() == []


def test_a_timestep_sent_again_is_unchanged_by_acts_in_between(env, peer_name):
    sent = env.everyone_acts(0, actions=[7, 2, 3])
    env.act(0, tick=1, action=5)
    env.now = 1.1
    again = env.serve()
    for agent in (1, 2):
        [first] = timesteps(sent, peer_name(agent, 1))
        repeat = next(step for step in timesteps(again, peer_name(agent, 1)) if step.lane == 0)
        assert encode(first) == encode(repeat)


def test_a_repeated_act_for_a_resent_timestep_has_no_answer(env):
    env.act(1, tick=0)
    env.act(2, tick=0)
    env.now = 1.1
    env.serve()
    env.act(0, tick=0)
    assert env.act(0, tick=0) == []


def test_nothing_is_sent_again_while_no_seat_is_taken(make_env):
    env = make_env()
    env.now = 5.0
    assert env.serve() == []
    assert env.coordinator.counts.resent_timesteps == 0


@pytest.mark.parametrize(
    ("lane", "tick"), [(2, 0), (0, 1), (0, 2**62)], ids=["no such lane", "next tick", "far tick"]
)
def test_an_act_for_a_lane_or_tick_that_does_not_exist_is_refused_fatally(env, lane, tick):
    [(_, refused)] = env.act(0, tick=tick, lane=lane)
    assert refused.fatal
    assert env.coordinator.counts.protocol_errors == 1


@pytest.mark.parametrize("actions", [[0, 8], [0], [0, 0, 0]], ids=["no action", "few", "many"])
def test_actions_of_another_game_are_refused_fatally(env, peer_name, actions):
    act = Act(env.incarnation, 0, 0, False, np.array(actions, np.uint8))
    [(_, refused)] = env.send(peer_name(0, 1), act)
    assert refused.fatal
    assert env.coordinator.lanes[0].tick == 0


@pytest.mark.parametrize(
    "frames",
    [[], [b""], [b"\xc1"], [b"\x90" * 10, b""], [b"x" * 70_000], [b"\x91" * 1023 + b"\x90"]],
    ids=["nothing", "empty", "not msgpack", "trailing bytes", "too long", "nested very deeply"],
)
def test_the_server_survives_invalid_frames(env, frames):
    [(_, refused)] = env.send_frames(b"unknown peer", frames)
    assert refused.fatal
    assert env.coordinator.counts.protocol_errors == 1
    assert env.everyone_acts(0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_server_survives_messages_with_a_few_bytes_changed(make_env, data):
    env = make_env(agents=2, lanes=1)
    actions = np.zeros(2, np.uint8)
    for message in (
        Join(0, 1, env.coordinator.fingerprint),
        Act(env.incarnation, 0, 0, False, actions),
    ):
        frames = [bytearray(frame) for frame in encode(message)]
        for _ in range(data.draw(st.integers(1, 3))):
            frame = data.draw(st.sampled_from(frames))
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        answers = env.send_frames(b"actor-0-damaged", [bytes(frame) for frame in frames])
        assert {type(answer) for _, answer in answers} <= {Seat, Timestep, Refused}
    env.join(0, incarnation=7)
    env.join(1, incarnation=8)
    env.now = 9.0
    assert timesteps(env.serve())


def test_a_message_for_a_learner_is_refused_fatally(env):
    [(_, refused)] = env.send(b"unknown peer", Bye(1))
    assert refused.fatal


def test_a_refusal_is_never_answered(env):
    assert env.send(b"unknown peer", Refused("no", fatal=True)) == []


@pytest.mark.parametrize(
    "message", [Join(0, 1, "another\nrun" * 90), Refused("no\n" * 300, True), Bye(1)], ids=repr
)
def test_what_a_peer_sends_makes_one_short_line_of_the_log(env, caplog, message):
    with caplog.at_level(logging.WARNING):
        env.send(b"new\nline", message)
    [line] = [record.getMessage() for record in caplog.records]
    assert "\n" not in line
    assert len(line) < 400


def test_so_many_replaced_incarnations_are_refused_and_those_before_are_forgotten(env):
    for incarnation in range(2, 3 + MAX_REPLACED):
        env.join(0, incarnation)
    assert kinds(env.join(0, incarnation=2, peer=b"elsewhere")) == [Refused]
    assert kinds(env.join(0, incarnation=1, peer=b"actor-0-again"))[-1] == Timestep
