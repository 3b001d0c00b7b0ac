"""Rewards made of all agents' rewards, against the formulas in loops."""

import numpy as np
import pytest

from ssd_influence.rewards.social import SocialReward, inequity_averse, prosocial, smoothed
from ssd_influence.settings import ExperimentSettings

STEPS, GAMES, AGENTS = 23, 3, 5
WEIGHTS = {"disadvantageous": 5.0, "advantageous": 0.05}


@pytest.fixture
def rewards_and_ends() -> tuple[np.ndarray, np.ndarray]:
    """All agents' rewards [T, B, N], and which steps end an episode [T, B]."""
    rng = np.random.default_rng(8)
    rewards = rng.normal(size=(STEPS, GAMES, AGENTS)).astype(np.float32)
    return rewards, rng.random((STEPS, GAMES)) < 0.2


def social(agent=2, reward_clip=float("inf"), **experiment) -> SocialReward:
    settings = ExperimentSettings.model_validate({"reward_clip": reward_clip, **experiment})
    return SocialReward(settings, agent, AGENTS, GAMES)


@pytest.mark.parametrize("agent", range(AGENTS))
def test_a_prosocial_reward_is_one_s_own_plus_eta_times_all_others(rewards_and_ends, agent):
    rewards, ends = rewards_and_ends
    scheme = social(agent, reward="prosocial", prosocial_eta=0.85)
    for e, is_last in zip(rewards, ends, strict=True):
        wanted = [
            e[b, agent] + 0.85 * sum(e[b, i] for i in range(AGENTS) if i != agent)
            for b in range(GAMES)
        ]
        assert scheme.shape(e, is_last) == pytest.approx(wanted, abs=1e-5)


def inequity_averse_in_loops(rewards, is_last, agent, smoothing, alpha, beta) -> np.ndarray:
    """[T, B], game by game, step by step, agent by agent."""
    shaped = np.zeros((STEPS, GAMES))
    for b in range(GAMES):
        hat = [0.0] * AGENTS
        for t in range(STEPS):
            hat = [smoothing * hat[i] + float(rewards[t, b, i]) for i in range(AGENTS)]
            envy = sum(max(hat[i] - hat[agent], 0) for i in range(AGENTS) if i != agent)
            guilt = sum(max(hat[agent] - hat[i], 0) for i in range(AGENTS) if i != agent)
            penalty = (alpha * envy + beta * guilt) / (AGENTS - 1)
            shaped[t, b] = rewards[t, b, agent] - penalty
            if is_last[t, b]:
                hat = [0.0] * AGENTS
    return shaped


@pytest.mark.parametrize("agent", range(AGENTS))
@pytest.mark.parametrize("smoothing", [0.0, 0.96525])
def test_inequity_aversion_compares_rewards_smoothed_within_the_episode(
    rewards_and_ends, agent, smoothing
):
    weights = {"smoothing": smoothing, "disadvantageous": 2.0, "advantageous": 0.7}
    scheme = social(agent, reward="inequity_averse", **weights)
    wanted = inequity_averse_in_loops(*rewards_and_ends, agent, smoothing, 2.0, 0.7)
    for e, is_last, r in zip(*rewards_and_ends, wanted, strict=True):
        assert scheme.shape(e, is_last) == pytest.approx(r, abs=1e-4)


def test_the_default_smoothing_is_gamma_times_lambda_of_hughes_et_al():
    assert ExperimentSettings().smoothing == pytest.approx(0.99 * 0.975)


def test_smoothed_rewards_decay():
    hats, ones = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    for wanted in (1.0, 1.5, 1.75):
        hats = smoothed(hats, ones, 0.5)
        assert hats.tolist() == [[wanted, 0.0]]


def averse(own: float, others: list[float], **weights: float) -> float:
    """The reward of an agent that gets 10, given its and the others' smoothed rewards."""
    hats = np.array([[own, *others]])
    rewards = np.full((1, len(hats[0])), 10.0)
    return inequity_averse(rewards, hats, 0, **{**WEIGHTS, **weights})[0]


def test_having_more_than_others_is_penalised():
    assert averse(3, [1, 1]) == pytest.approx(10 - 0.05 * 2)
    assert averse(4, [1, 1]) < averse(3, [1, 1]) < averse(1, [1, 1]) == 10


def test_having_less_than_others_is_penalised():
    assert averse(1, [3, 3]) == pytest.approx(10 - 5 * 2)
    assert averse(1, [4, 4]) < averse(1, [3, 3]) < averse(1, [1, 1])


def test_having_more_than_one_and_less_than_another_does_not_cancel():
    assert averse(2, [1, 3]) == pytest.approx(10 - 5 / 2 - 0.05 / 2)


def test_each_weight_applies_to_its_own_kind_of_inequity():
    assert averse(3, [1, 1], disadvantageous=0) == averse(3, [1, 1])
    assert averse(1, [3, 3], advantageous=0) == averse(1, [3, 3])
    assert averse(1, [3, 3], disadvantageous=0) == averse(3, [1, 1], advantageous=0) == 10


def test_equal_agents_keep_their_rewards():
    scheme = social(reward="inequity_averse")
    equal = np.full((GAMES, AGENTS), 3.0, np.float32)
    for _ in range(4):
        assert scheme.shape(equal, np.zeros(GAMES, np.bool_)).tolist() == [3.0] * GAMES


def test_the_agent_s_own_reward_is_not_smoothed():
    scheme = social(reward="inequity_averse", disadvantageous=0.0, advantageous=0.0)
    nobody = np.zeros(GAMES, np.bool_)
    for own in (1.0, 0.0, -2.0):
        rewards = np.full((GAMES, AGENTS), own, np.float32)
        assert scheme.shape(rewards, nobody).tolist() == [own] * GAMES


def test_an_episode_s_last_rewards_do_not_count_in_the_next():
    scheme = social(reward="inequity_averse", smoothing=0.9, **WEIGHTS)
    others_got = np.ones((GAMES, AGENTS), np.float32)
    others_got[:, 2] = 0
    is_last = np.array([True, False, True])
    assert scheme.shape(others_got, is_last) == pytest.approx([-5.0] * 3)
    nothing = np.zeros((GAMES, AGENTS), np.float32)
    after = scheme.shape(nothing, np.zeros(GAMES, np.bool_))
    assert after == pytest.approx([0, -5 * 0.9, 0])


@pytest.mark.parametrize("reward", ["prosocial", "inequity_averse"])
def test_all_rewards_are_clipped_before_they_are_compared_or_added(rewards_and_ends, reward):
    rewards, ends = rewards_and_ends
    clipping = social(reward=reward, reward_clip=0.6, **WEIGHTS)
    given_clipped = social(reward=reward, **WEIGHTS)
    largest = 0.0
    for e, is_last in zip(rewards, ends, strict=True):
        shaped = clipping.shape(e, is_last)
        assert shaped.tolist() == given_clipped.shape(np.clip(e, -0.6, 0.6), is_last).tolist()
        largest = max(largest, abs(shaped).max())
    assert largest > 0.6


def test_every_scheme_returns_float32(rewards_and_ends):
    for reward in ("prosocial", "inequity_averse"):
        shaped = social(reward=reward).shape(rewards_and_ends[0][0], rewards_and_ends[1][0])
        assert (shaped.dtype, shaped.shape) == (np.float32, (GAMES,))


def test_prosocial_without_a_weight_for_others_is_one_s_own_reward():
    rewards = np.array([[1.0, 2.0, 4.0]])
    assert prosocial(rewards, 1, 0.0).tolist() == [2.0]
    assert prosocial(rewards, 1, 2.0).tolist() == [12.0]


def test_reward_own_is_no_scheme():
    with pytest.raises(ValueError, match='reward = "own"'):
        social(reward="own")


@pytest.mark.parametrize("reward", ["prosocial", "inequity_averse"])
def test_an_agent_alone_is_refused(reward):
    experiment = ExperimentSettings(reward=reward)
    with pytest.raises(ValueError, match="needs another agent"):
        SocialReward(experiment, 0, 1, GAMES)
