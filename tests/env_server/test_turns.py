"""Who acts first within a tick, and who sees it before acting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_wire.codec import encode
from ssd_wire.messages import Refused, Seat, Timestep

BASIC = {"influence": "basic"}
LEADERS = BASIC | {"leaders": 2, "influencee_reward": True}  # 0 and 1 lead, 2 follows
CAST = {"agents": 4, "roles": ("influencee", "influencer", "plain", "influencer")}


@pytest.fixture
def led(small_world):
    """Three agents in one lane, of which two lead; everyone has joined."""
    return small_world(lanes=1, **LEADERS).seated()


def told(sent, peer=None):
    return [
        message
        for to, message in sent
        if isinstance(message, Timestep) and (peer is None or to == peer)
    ]


def peers_told(sent):
    return [peer for peer, message in sent if isinstance(message, Timestep)]


def test_who_follows_is_told_nothing_of_a_tick_until_all_whom_it_follows_have_acted(led, peer_name):
    for tick in range(3):
        assert led.act(0, tick) == []
        [(peer, step)] = led.act(1, tick)
        assert (peer, step.tick) == (peer_name(2, 1), tick)
        assert sorted(peers_told(led.act(2, tick))) == [peer_name(0, 1), peer_name(1, 1)]


def test_who_follows_nobody_is_told_at_once(small_world, peer_name):
    world = small_world(lanes=1, **BASIC, **CAST).seated()
    for agent in (1, 2, 3, 0):
        sent = world.act(agent, tick=0)
    assert sorted(peers_told(sent)) == [peer_name(agent, 1) for agent in (1, 2, 3)]


def test_whether_a_plain_agent_has_acted_matters_to_nobody_within_a_tick(small_world, peer_name):
    world = small_world(lanes=1, **BASIC, **CAST).seated()
    world.act(1, tick=0)
    assert peers_told(world.act(3, tick=0)) == [peer_name(0, 1)]
    assert world.act(0, tick=0) == []
    assert len(peers_told(world.act(2, tick=0))) == 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(0, 7), min_size=4, max_size=4), min_size=14, max_size=14))
def test_who_follows_sees_what_its_leaders_do_in_this_step_and_all_others_did_in_the_last(
    small_world, actions
):
    world = small_world(lanes=1, **BASIC, **CAST).seated()
    for tick, now in enumerate(actions):
        world.everyone_acts(tick, actions=now)
        step = world.told[0, 0, tick]
        assert (step.leader_actions == [now[1], now[3]]).all()
        assert (step.actions == (actions[tick - 1] if tick else 0)).all()


def test_at_first_leaders_act_in_the_new_episode_and_actions_are_of_the_old(small_world):
    world = small_world(lanes=1, games=1, **LEADERS).seated()
    for tick in range(13):
        world.everyone_acts(tick, actions=[tick % 8, 4, 3])
    [step] = [step for (agent, _, tick), step in world.told.items() if (agent, tick) == (2, 12)]
    assert step.is_first.all()
    assert step.leader_actions.tolist() == [[12 % 8, 4]]
    assert step.actions.tolist() == [[11 % 8, 4, 3]]


def test_a_followers_answer_before_its_leaders_have_acted_is_refused_for_good(led):
    for ready in ([], [0]):
        for agent in ready:
            led.act(agent, tick=0)
        [(_, refused)] = led.act(2, tick=0)
        assert refused.fatal
        assert "tick: wanted below 0, found 0" in refused.reason


def test_a_follower_that_repeats_an_old_answer_while_it_waits_is_only_counted(led):
    led.everyone_acts(0)
    assert led.act(2, tick=0) == []
    assert led.referee.counts.repeats == 1


def test_what_followers_were_told_of_their_leaders_stands(led, peer_name):
    led.act(0, tick=0, action=5)
    [first] = told(led.act(1, tick=0, action=6), peer_name(2, 1))
    assert led.act(0, tick=0, action=1) == []
    led.now = 1.1
    [again] = told(led.serve(), peer_name(2, 1))
    assert encode(first) == encode(again)
    assert again.leader_actions.tolist() == [[5, 6]] * 2


def test_no_leader_frees_its_followers_twice(led):
    led.act(0, tick=0)
    assert led.act(0, tick=0) == []
    assert led.act(0, tick=0) == []
    assert len(led.act(1, tick=0)) == 1
    assert led.act(1, tick=0) == []


def test_a_follower_that_waits_is_owed_nothing(led, peer_name):
    led.act(0, tick=0)
    led.now = 1.1
    assert peers_told(led.serve()) == [peer_name(1, 1)]
    assert [type(message) for _, message in led.join(2)] == [Seat]


def test_what_a_freed_follower_is_told_is_not_offered_again_before_a_second_has_passed(led):
    led.now = 1.5
    led.serve()
    led.now = 2.4
    led.act(0, tick=0)
    led.act(1, tick=0)
    led.now = 3.3
    assert led.serve() == []
    led.now = 3.5
    assert len(led.serve()) == 1


def test_a_follower_that_joins_late_is_told_what_its_leaders_did(small_world):
    world = small_world(lanes=1, **LEADERS)
    world.join(0)
    world.join(1)
    world.act(0, tick=0, action=5)
    assert world.act(1, tick=0, action=6) == []
    seat, step = (message for _, message in world.join(2))
    assert isinstance(seat, Seat)
    assert step.leader_actions.tolist() == [[5, 6]] * 2


def test_a_followers_successor_within_a_tick_is_told_the_same(led, peer_name):
    led.act(0, tick=0)
    [first] = told(led.act(1, tick=0))
    [again] = told(led.join(2, incarnation=2), peer_name(2, 2))
    assert encode(first) == encode(again)


def test_a_leaders_successor_acts_for_it_where_it_has_not(led, peer_name):
    led.act(0, tick=0, action=5)
    assert peers_told(led.join(1, incarnation=2)) == [peer_name(1, 2)]
    [step] = told(led.act(1, tick=0, action=3, incarnation=2), peer_name(2, 1))
    assert step.leader_actions.tolist() == [[5, 3]] * 2


def test_an_act_stands_though_its_leader_was_replaced_before_the_others_acted(led, peer_name):
    led.act(0, tick=0, action=5)
    assert peers_told(led.join(0, incarnation=2)) == []
    [step] = told(led.act(1, tick=0, action=6), peer_name(2, 1))
    assert step.leader_actions.tolist() == [[5, 6]] * 2
    sent = led.act(2, tick=0)
    assert peer_name(0, 2) in peers_told(sent)
    assert peer_name(0, 1) not in peers_told(sent)


def test_lanes_have_turns_of_their_own(small_world, peer_name):
    world = small_world(lanes=2, **LEADERS).seated()
    world.act(0, tick=0, lane=0)
    world.act(1, tick=0, lane=1)
    [step] = told(world.act(1, tick=0, lane=0), peer_name(2, 1))
    assert step.lane == 0


def test_visible_actions_with_leaders_is_played_in_turn_too(small_world, peer_name):
    world = small_world(lanes=1, leaders=1).seated()
    assert peers_told(world.act(0, tick=0)) == [peer_name(1, 1), peer_name(2, 1)]


@pytest.mark.parametrize(
    "experiment",
    [{}, {"influence": "moa"}, {"influence": "communication", "symbols": 3}],
    ids=["off", "moa", "communication"],
)
def test_where_nobody_leads_everyone_is_told_at_once(small_world, experiment):
    world = small_world(lanes=1, **experiment).seated()
    for tick in range(3):
        assert world.act(2, tick) == []
        assert world.act(0, tick) == []
        assert len(peers_told(world.act(1, tick))) == 3


def test_policies_are_those_from_which_the_leaders_acted_now(led):
    for tick in range(3):
        led.everyone_acts(tick)
        policies = np.stack([led.scripted(agent, tick).log_probs for agent in (0, 1)], axis=1)
        assert (led.told[2, 0, tick].leader_log_probs == policies).all()


def test_a_refused_follower_does_not_hold_up_the_others_for_ever(led):
    led.act(2, tick=0)
    led.act(0, tick=0)
    assert not any(isinstance(message, Refused) for _, message in led.act(1, tick=0))
    led.join(2, incarnation=2)
    assert len(peers_told(led.act(2, tick=0, incarnation=2))) == 2
