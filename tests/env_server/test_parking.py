"""An arena whose learners are all complete goes on slowly."""

from dataclasses import replace

import pytest

from ssd_wire.messages import Timestep


def all_act(env, peer_name, tick, complete):
    """All agents act; whether the lane was stepped at once."""
    sent = []
    for agent, is_complete in enumerate(complete):
        act = replace(env.scripted(agent, tick), learner_complete=is_complete)
        sent += env.send(peer_name(agent, 1), act)
    return any(isinstance(message, Timestep) for _, message in sent)


@pytest.fixture
def finished(make_env, peer_name):
    """An environment whose actors' learners were all complete at tick 0."""
    env = make_env(agents=2, lanes=1).with_all_joined()
    env.now = 0.5
    assert not all_act(env, peer_name, 0, [True, True])
    return env


def test_while_one_learner_is_not_complete_lanes_are_stepped_at_once(make_env, peer_name):
    env = make_env(agents=2, lanes=1).with_all_joined()
    assert all_act(env, peer_name, 0, [True, False])
    assert not env.coordinator.is_run_complete


def test_when_all_learners_are_complete_a_lane_is_stepped_once_a_second(finished):
    assert finished.coordinator.seconds_until_due(finished.now) == 0.5
    finished.now = 0.9
    assert finished.serve() == []
    finished.now = 1.0
    assert [message.tick for _, message in finished.serve()] == [1, 1]
    assert finished.coordinator.is_run_complete


def test_a_learner_with_a_larger_budget_brings_the_games_back_to_full_speed(finished, peer_name):
    finished.now = 1.0
    finished.serve()
    assert all_act(finished, peer_name, 1, [True, False])
    assert all_act(finished, peer_name, 2, [True, False])
    assert not finished.coordinator.is_run_complete
