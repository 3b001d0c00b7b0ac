"""Who is let in, whose actions count, and what is sent again."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_who_joins_gets_its_seat_and_the_timestep_of_every_lane(small_world, peer_name):
    world = small_world()
    sent = world.join(1)
    assert kinds(sent) == [Seat, Timestep, Timestep]
    assert {peer for peer, _ in sent} == {peer_name(1, 1)}
    assert places(sent) == [(0, 0), (1, 0)]


def test_the_seat_tells_the_shapes_of_this_world(small_world):
    [(_, seat), *_] = small_world(agents=2, lanes=3, games=4).join(0)
    assert (seat.agents, seat.lanes, seat.games) == (2, 3, 4)
    assert (seat.actions, seat.view, seat.horizon) == (8, 15, 12)
    assert seat.palette.max() == 255


def test_a_repeated_join_is_answered_again_with_what_is_still_unanswered(world):
    world.act(0, tick=0, lane=1)
    sent = world.join(0)
    assert kinds(sent) == [Seat, Timestep]
    assert places(sent) == [(0, 0)]
    assert len(world.referee.seats) == 3


def test_another_runs_actor_is_refused_for_good_and_told_both_fingerprints(small_world):
    world = small_world()
    [(_, refused)] = world.join(0, fingerprint="feedfeedfeedfeed")
    assert refused.fatal
    assert "feedfeedfeedfeed" in refused.reason
    assert world.referee.fingerprint in refused.reason
    assert len(world.referee.seats) == 0


def test_an_agent_that_the_game_does_not_have_is_refused_for_good(small_world):
    [(_, refused)] = small_world(agents=3).join(3)
    assert refused.fatal
    assert "3" in refused.reason


def test_an_actor_joins_only_as_the_agent_whose_key_it_has(small_world):
    world = small_world()
    world.door.sender = "actor-1"
    refused = world.join(2)[0][1]
    assert (refused.reason, refused.fatal) == ("its key is that of actor-1, not of actor-2", True)
    assert isinstance(world.join(1)[0][1], Seat)


def test_a_new_incarnation_takes_the_seat_and_the_old_one_is_told_at_once(world, peer_name):
    (to, refused), *rest = world.join(0, incarnation=2)
    assert to == peer_name(0, 1)
    assert isinstance(refused, Refused)
    assert refused.fatal
    assert [peer for peer, _ in rest] == [peer_name(0, 2)] * 3
    assert len(world.referee.seats) == 3


def test_a_retired_incarnation_that_acts_is_asked_to_join_and_then_refused_for_good(world):
    world.join(0, incarnation=2)
    [(_, refused)] = world.act(0, tick=0)
    assert not refused.fatal
    [(_, refused)] = world.join(0)
    assert refused.fatal
    assert "later" in refused.reason


def test_a_retired_incarnation_cannot_come_back_over_another_connection(world):
    world.join(0, incarnation=2)
    [(_, refused)] = world.join(0, incarnation=1, peer=b"elsewhere")
    assert refused.fatal


def test_an_incarnation_on_a_second_connection_is_answered_there_alone(world, peer_name):
    second = b"actor-0-elsewhere"
    sent = world.join(0, incarnation=1, peer=second)
    assert kinds(sent) == [Seat, Timestep, Timestep]
    assert {peer for peer, _ in sent} == {second}
    assert world.hear(second, world.scripted(0, tick=0)) == []
    [(peer, refused)] = world.act(0, tick=0, lane=1)  # over the first one
    assert peer == peer_name(0, 1)
    assert not refused.fatal
    world.act(1, tick=0)
    assert peer_name(0, 1) not in dict(world.act(2, tick=0))
    assert len(world.referee.seats) == 3


def test_the_newest_of_two_connections_is_answered_however_often_they_change(world, peer_name):
    for peer in (b"actor-0-elsewhere", peer_name(0, 1)) * 3:
        assert {to for to, _ in world.join(0, incarnation=1, peer=peer)} == {peer}
    assert world.act(0, tick=0) == []


@pytest.mark.parametrize(("agent", "incarnation"), [(1, 1), (0, 2)])
def test_a_connection_plays_one_agent_in_one_incarnation(world, peer_name, agent, incarnation):
    [(_, refused)] = world.join(agent, incarnation, peer=peer_name(0, 1))
    assert refused.fatal
    assert len(world.referee.seats) == 3


def test_a_lane_moves_when_everyone_has_acted_and_not_before(world):
    assert world.act(0, tick=0) == []
    assert world.act(2, tick=0) == []
    assert places(world.act(1, tick=0)) == [(0, 1)] * 3


def test_lanes_never_wait_for_each_other(world):
    for tick in range(5):
        world.everyone_acts(tick, lane=1)
    assert [lane.tick for lane in world.referee.lanes] == [0, 5]


def test_the_first_answer_to_a_tick_stands(world):
    world.act(0, tick=0, action=5)
    assert world.act(0, tick=0, action=2) == []
    world.act(1, tick=0)
    step, *_ = timesteps(world.act(2, tick=0))
    assert (step.actions[:, 0] == 5).all()
    assert world.referee.counts.repeats == 1


def test_an_answer_to_an_old_tick_is_only_counted(world):
    world.everyone_acts(0)
    assert world.act(0, tick=0, action=3) == []
    step, *_ = timesteps(world.everyone_acts(1, actions=[5, 5, 5]))
    assert (step.actions == 5).all()
    assert world.referee.counts.repeats == 1


def test_an_accepted_act_stands_and_the_new_incarnation_enters_at_the_next_tick(world, peer_name):
    world.act(0, tick=0, action=6)
    assert places(world.join(0, incarnation=2)) == [(1, 0)]
    world.act(1, tick=0)
    sent = world.act(2, tick=0)
    [step] = timesteps(sent, peer_name(0, 2))
    assert (step.lane, step.tick) == (0, 1)
    assert (step.actions[:, 0] == 6).all()
    assert timesteps(sent, peer_name(0, 1)) == []


def test_who_is_not_seated_is_asked_to_join_again(small_world):
    [(_, refused)] = small_world().act(0, tick=0)
    assert not refused.fatal
    assert "join again" in refused.reason


def test_an_act_meant_for_the_world_before_is_answered_with_join_again(world):
    [(_, refused)] = world.act(0, tick=0, world=world.number + 1)
    assert not refused.fatal
    assert world.join(0)


def test_an_unanswered_timestep_is_offered_again_once_a_second(world, peer_name):
    world.everyone_acts(0)
    world.act(0, tick=1)
    world.now = 0.9
    assert world.serve() == []
    world.now = 1.1
    again = world.serve()
    assert [(step.lane, step.tick) for step in timesteps(again, peer_name(1, 1))] == [
        (0, 1),
        (1, 0),
    ]
    assert [(step.lane, step.tick) for step in timesteps(again, peer_name(0, 1))] == [(1, 0)]
    assert world.serve() == []
    world.now = 2.2
    assert len(world.serve()) == len(again)


def test_a_new_timestep_is_not_offered_again_before_a_second_has_passed(small_world):
    world = small_world(lanes=1)
    for agent in range(3):
        world.join(agent)
    world.now = 1.5
    world.serve()
    world.now = 2.4
    world.everyone_acts(0)
    world.now = 3.3
    assert world.serve() == []


def test_a_timestep_sent_again_is_the_same_whoever_acted_in_between(world, peer_name):
    sent = world.everyone_acts(0, actions=[7, 2, 3])
    world.act(0, tick=1, action=5)
    world.now = 1.1
    again = world.serve()
    for agent in (1, 2):
        [first] = timesteps(sent, peer_name(agent, 1))
        repeat = next(step for step in timesteps(again, peer_name(agent, 1)) if step.lane == 0)
        assert encode(first) == encode(repeat)


def test_a_repeat_of_a_reoffer_sets_off_nothing_more(world):
    world.act(1, tick=0)
    world.act(2, tick=0)
    world.now = 1.1
    world.serve()
    world.act(0, tick=0)
    assert world.act(0, tick=0) == []


def test_nothing_is_offered_to_nobody(small_world):
    world = small_world()
    world.now = 5.0
    assert world.serve() == []
    assert world.referee.counts.reoffers == 0


@pytest.mark.parametrize(
    ("lane", "tick"), [(2, 0), (0, 1), (0, 2**62)], ids=["no such lane", "next tick", "far tick"]
)
def test_an_act_that_no_honest_actor_sends_is_refused_for_good(world, lane, tick):
    [(_, refused)] = world.act(0, tick=tick, lane=lane)
    assert refused.fatal
    assert world.referee.counts.protocol_errors == 1


@pytest.mark.parametrize("actions", [[0, 8], [0], [0, 0, 0]], ids=["no action", "few", "many"])
def test_actions_of_another_game_are_refused_for_good(world, peer_name, actions):
    act = Act(world.number, 0, 0, np.array(actions, np.uint8))
    [(_, refused)] = world.hear(peer_name(0, 1), act)
    assert refused.fatal
    assert world.referee.lanes[0].tick == 0


@pytest.mark.parametrize(
    "frames",
    [[], [b""], [b"\xc1"], [b"\x90" * 10, b""], [b"x" * 70_000], [b"\x91" * 1023 + b"\x90"]],
    ids=["nothing", "empty", "not msgpack", "trailing bytes", "too long", "nested very deeply"],
)
def test_the_world_survives_nonsense(world, frames):
    [(_, refused)] = world.hear_bytes(b"stranger", frames)
    assert refused.fatal
    assert world.referee.counts.protocol_errors == 1
    assert world.everyone_acts(0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_world_survives_messages_with_a_few_bytes_changed(small_world, data):
    world = small_world(agents=2, lanes=1)
    actions = np.zeros(2, np.uint8)
    for message in (Join(0, 1, world.referee.fingerprint), Act(world.number, 0, 0, actions)):
        frames = [bytearray(frame) for frame in encode(message)]
        for _ in range(data.draw(st.integers(1, 3))):
            frame = data.draw(st.sampled_from(frames))
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        answers = world.hear_bytes(b"actor-0-damaged", [bytes(frame) for frame in frames])
        assert {type(answer) for _, answer in answers} <= {Seat, Timestep, Refused}
    world.join(0, incarnation=7)
    world.join(1, incarnation=8)
    world.now = 9.0
    assert timesteps(world.serve())


def test_a_message_for_a_learner_is_nonsense_here(world):
    [(_, refused)] = world.hear(b"stranger", Bye(1))
    assert refused.fatal


def test_a_refusal_is_never_answered(world):
    assert world.hear(b"stranger", Refused("no", fatal=True)) == []


def test_a_peer_is_logged_once_however_often_it_is_refused(world, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            world.hear_bytes(b"new\nline", [b"nonsense"])
    assert world.referee.counts.refusals == 10
    [line] = [record.getMessage() for record in caplog.records]
    assert "\n" not in line
