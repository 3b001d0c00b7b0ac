"""Which agents act first within a tick, and which see their actions before they act."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_wire.codec import encode
from ssd_wire.messages import Refused, Seat, Timestep

BASIC = {"influence": "basic"}
LEADERS = BASIC | {"leaders": 2, "influencee_reward": True}  # 0 and 1 lead, 2 follows
ROLES = {"agents": 4, "roles": ("influencee", "influencer", "plain", "influencer")}


@pytest.fixture
def led(make_env):
    """Three agents in one lane, of which two are leaders; all have joined."""
    return make_env(lanes=1, **LEADERS).with_all_joined()


def timesteps(sent, peer=None):
    return [
        message
        for to, message in sent
        if isinstance(message, Timestep) and (peer is None or to == peer)
    ]


def receivers(sent):
    return [peer for peer, message in sent if isinstance(message, Timestep)]


def test_a_follower_gets_its_timestep_only_after_all_its_leaders_have_acted(led, peer_name):
    for tick in range(3):
        assert led.act(0, tick) == []
        [(peer, step)] = led.act(1, tick)
        assert (peer, step.tick) == (peer_name(2, 1), tick)
        assert sorted(receivers(led.act(2, tick))) == [peer_name(0, 1), peer_name(1, 1)]


def test_an_agent_without_leaders_gets_its_timestep_at_once(make_env, peer_name):
    env = make_env(lanes=1, **BASIC, **ROLES).with_all_joined()
    for agent in (1, 2, 3, 0):
        sent = env.act(agent, tick=0)
    assert sorted(receivers(sent)) == [peer_name(agent, 1) for agent in (1, 2, 3)]


def test_nobody_waits_within_a_tick_for_a_plain_agent(make_env, peer_name):
    env = make_env(lanes=1, **BASIC, **ROLES).with_all_joined()
    env.act(1, tick=0)
    assert receivers(env.act(3, tick=0)) == [peer_name(0, 1)]
    assert env.act(0, tick=0) == []
    assert len(receivers(env.act(2, tick=0))) == 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.integers(0, 7), min_size=4, max_size=4), min_size=14, max_size=14))
def test_a_follower_receives_its_leaders_actions_of_this_step_and_all_actions_of_the_last(
    make_env, actions
):
    env = make_env(lanes=1, **BASIC, **ROLES).with_all_joined()
    for tick, now in enumerate(actions):
        env.everyone_acts(tick, actions=now)
        step = env.received[0, 0, tick]
        assert (step.leader_actions == [now[1], now[3]]).all()
        assert (step.actions == (actions[tick - 1] if tick else 0)).all()


def test_where_is_first_leader_actions_are_of_the_new_episode_and_actions_of_the_old(make_env):
    env = make_env(lanes=1, games=1, **LEADERS).with_all_joined()
    for tick in range(13):
        env.everyone_acts(tick, actions=[tick % 8, 4, 3])
    [step] = [step for (agent, _, tick), step in env.received.items() if (agent, tick) == (2, 12)]
    assert step.is_first.all()
    assert step.leader_actions.tolist() == [[12 % 8, 4]]
    assert step.actions.tolist() == [[11 % 8, 4, 3]]


def test_a_followers_act_before_its_leaders_have_acted_is_refused_fatally(led):
    for ready in ([], [0]):
        for agent in ready:
            led.act(agent, tick=0)
        [(_, refused)] = led.act(2, tick=0)
        assert refused.fatal
        assert "tick: wanted below 0, found 0" in refused.reason


def test_a_waiting_followers_repeated_old_act_is_ignored_and_counted(led):
    led.everyone_acts(0)
    assert led.act(2, tick=0) == []
    assert led.coordinator.counts.repeated_acts == 1


def test_leader_actions_that_were_sent_do_not_change(led, peer_name):
    led.act(0, tick=0, action=5)
    [first] = timesteps(led.act(1, tick=0, action=6), peer_name(2, 1))
    assert led.act(0, tick=0, action=1) == []
    led.now = 1.1
    [again] = timesteps(led.serve(), peer_name(2, 1))
    assert encode(first) == encode(again)
    assert again.leader_actions.tolist() == [[5, 6]] * 2


def test_a_leader_that_repeats_its_act_releases_its_followers_once(led):
    led.act(0, tick=0)
    assert led.act(0, tick=0) == []
    assert led.act(0, tick=0) == []
    assert len(led.act(1, tick=0)) == 1
    assert led.act(1, tick=0) == []


def test_a_waiting_follower_is_sent_no_timestep(led, peer_name):
    led.act(0, tick=0)
    led.now = 1.1
    assert receivers(led.serve()) == [peer_name(1, 1)]
    assert [type(message) for _, message in led.join(2)] == [Seat]


def test_a_released_followers_timestep_is_not_sent_again_before_a_second_has_passed(led):
    led.now = 1.5
    led.serve()
    led.now = 2.4
    led.act(0, tick=0)
    led.act(1, tick=0)
    led.now = 3.3
    assert led.serve() == []
    led.now = 3.5
    assert len(led.serve()) == 1


def test_a_follower_that_joins_late_receives_its_leaders_actions(make_env):
    env = make_env(lanes=1, **LEADERS)
    env.join(0)
    env.join(1)
    env.act(0, tick=0, action=5)
    assert env.act(1, tick=0, action=6) == []
    seat, step = (message for _, message in env.join(2))
    assert isinstance(seat, Seat)
    assert step.leader_actions.tolist() == [[5, 6]] * 2


def test_a_followers_successor_within_a_tick_gets_the_same_timestep(led, peer_name):
    led.act(0, tick=0)
    [first] = timesteps(led.act(1, tick=0))
    [again] = timesteps(led.join(2, incarnation=2), peer_name(2, 2))
    assert encode(first) == encode(again)


def test_a_leaders_successor_acts_where_the_leader_has_not(led, peer_name):
    led.act(0, tick=0, action=5)
    assert receivers(led.join(1, incarnation=2)) == [peer_name(1, 2)]
    [step] = timesteps(led.act(1, tick=0, action=3, incarnation=2), peer_name(2, 1))
    assert step.leader_actions.tolist() == [[5, 3]] * 2


def test_a_leaders_act_counts_although_it_was_replaced_before_the_followers_acted(led, peer_name):
    led.act(0, tick=0, action=5)
    assert receivers(led.join(0, incarnation=2)) == []
    [step] = timesteps(led.act(1, tick=0, action=6), peer_name(2, 1))
    assert step.leader_actions.tolist() == [[5, 6]] * 2
    sent = led.act(2, tick=0)
    assert peer_name(0, 2) in receivers(sent)
    assert peer_name(0, 1) not in receivers(sent)


def test_a_leaders_act_in_one_lane_does_not_release_followers_in_another(make_env, peer_name):
    env = make_env(lanes=2, **LEADERS).with_all_joined()
    env.act(0, tick=0, lane=0)
    env.act(1, tick=0, lane=1)
    [step] = timesteps(env.act(1, tick=0, lane=0), peer_name(2, 1))
    assert step.lane == 0


def test_visible_actions_with_leaders_are_played_in_turn_too(make_env, peer_name):
    env = make_env(lanes=1, leaders=1).with_all_joined()
    assert receivers(env.act(0, tick=0)) == [peer_name(1, 1), peer_name(2, 1)]


@pytest.mark.parametrize(
    "experiment",
    [{}, {"influence": "moa"}, {"influence": "communication", "symbols": 3}],
    ids=["off", "moa", "communication"],
)
def test_without_leaders_all_agents_get_their_timesteps_at_once(make_env, experiment):
    env = make_env(lanes=1, **experiment).with_all_joined()
    for tick in range(3):
        assert env.act(2, tick) == []
        assert env.act(0, tick) == []
        assert len(receivers(env.act(1, tick))) == 3


def test_leader_log_probs_are_those_of_the_leaders_acts_of_this_step(led):
    for tick in range(3):
        led.everyone_acts(tick)
        log_probs = np.stack([led.scripted(agent, tick).log_probs for agent in (0, 1)], axis=1)
        assert (led.received[2, 0, tick].leader_log_probs == log_probs).all()


def test_a_refused_follower_does_not_block_the_others_forever(led):
    led.act(2, tick=0)
    led.act(0, tick=0)
    assert not any(isinstance(message, Refused) for _, message in led.act(1, tick=0))
    led.join(2, incarnation=2)
    assert len(receivers(led.act(2, tick=0, incarnation=2))) == 2
