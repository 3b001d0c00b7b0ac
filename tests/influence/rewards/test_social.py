"""Rewards made of everyone's, against the formulas in loops."""

import numpy as np
import pytest

from ssd_influence.rewards.social import SocialReward, inequity_averse, prosocial, smoothed
from ssd_influence.settings import ExperimentSettings

STEPS, GAMES, AGENTS = 23, 3, 5
WEIGHTS = {"disadvantageous": 5.0, "advantageous": 0.05}


@pytest.fixture
def life() -> tuple[np.ndarray, np.ndarray]:
    """Everyone's rewards [T, B, N], and where an episode ends with them [T, B]."""
    rng = np.random.default_rng(8)
    rewards = rng.normal(size=(STEPS, GAMES, AGENTS)).astype(np.float32)
    return rewards, rng.random((STEPS, GAMES)) < 0.2


def social(agent=2, **experiment) -> SocialReward:
    return SocialReward(ExperimentSettings.model_validate(experiment), agent, AGENTS, GAMES)


@pytest.mark.parametrize("agent", range(AGENTS))
def test_a_prosocial_agent_lives_by_what_all_get(life, agent):
    rewards, last = life
    scheme = social(agent, reward="prosocial", prosocial_eta=0.85)
    for e, ends in zip(rewards, last, strict=True):
        wanted = [
            e[b, agent] + 0.85 * sum(e[b, i] for i in range(AGENTS) if i != agent)
            for b in range(GAMES)
        ]
        assert scheme.shape(e, ends) == pytest.approx(wanted, abs=1e-5)


def averse_literally(rewards, last, agent, smoothing, alpha, beta) -> np.ndarray:
    """[T, B] a game, a step and another agent at a time."""
    shaped = np.zeros((STEPS, GAMES))
    for b in range(GAMES):
        hat = [0.0] * AGENTS
        for t in range(STEPS):
            hat = [smoothing * hat[i] + float(rewards[t, b, i]) for i in range(AGENTS)]
            envy = sum(max(hat[i] - hat[agent], 0) for i in range(AGENTS) if i != agent)
            guilt = sum(max(hat[agent] - hat[i], 0) for i in range(AGENTS) if i != agent)
            price = (alpha * envy + beta * guilt) / (AGENTS - 1)
            shaped[t, b] = rewards[t, b, agent] - price
            if last[t, b]:
                hat = [0.0] * AGENTS
    return shaped


@pytest.mark.parametrize("agent", range(AGENTS))
@pytest.mark.parametrize("smoothing", [0.0, 0.96525])
def test_an_averse_agent_compares_smoothed_rewards_of_this_episode_alone(life, agent, smoothing):
    weights = {"smoothing": smoothing, "disadvantageous": 2.0, "advantageous": 0.7}
    scheme = social(agent, reward="inequity_averse", **weights)
    wanted = averse_literally(*life, agent, smoothing, 2.0, 0.7)
    for e, ends, r in zip(*life, wanted, strict=True):
        assert scheme.shape(e, ends) == pytest.approx(r, abs=1e-4)


def test_rewards_fade_by_the_discount_times_the_lambda_of_hughes_et_al():
    assert ExperimentSettings().smoothing == pytest.approx(0.99 * 0.975)


def test_what_is_smoothed_fades():
    hats, ones = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    for wanted in (1.0, 1.5, 1.75):
        hats = smoothed(hats, ones, 0.5)
        assert hats.tolist() == [[wanted, 0.0]]


def averse(own: float, others: list[float], **weights: float) -> float:
    """What is left of 10 to one with this smoothed reward among others with theirs."""
    hats = np.array([[own, *others]])
    rewards = np.full((1, len(hats[0])), 10.0)
    return inequity_averse(rewards, hats, 0, **{**WEIGHTS, **weights})[0]


def test_to_have_more_than_others_is_punished_and_not_rewarded():
    assert averse(3, [1, 1]) == pytest.approx(10 - 0.05 * 2)
    assert averse(4, [1, 1]) < averse(3, [1, 1]) < averse(1, [1, 1]) == 10


def test_to_have_less_than_others_is_punished_and_not_rewarded():
    assert averse(1, [3, 3]) == pytest.approx(10 - 5 * 2)
    assert averse(1, [4, 4]) < averse(1, [3, 3]) < averse(1, [1, 1])


def test_more_than_one_and_less_than_another_do_not_cancel():
    assert averse(2, [1, 3]) == pytest.approx(10 - 5 / 2 - 0.05 / 2)


def test_each_weight_is_of_its_own_inequity():
    assert averse(3, [1, 1], disadvantageous=0) == averse(3, [1, 1])
    assert averse(1, [3, 3], advantageous=0) == averse(1, [3, 3])
    assert averse(1, [3, 3], disadvantageous=0) == averse(3, [1, 1], advantageous=0) == 10


def test_equals_keep_what_they_got():
    scheme = social(reward="inequity_averse")
    same = np.full((GAMES, AGENTS), 3.0, np.float32)
    for _ in range(4):
        assert scheme.shape(same, np.zeros(GAMES, np.bool_)).tolist() == [3.0] * GAMES


def test_one_s_own_reward_is_not_smoothed():
    scheme = social(reward="inequity_averse", disadvantageous=0.0, advantageous=0.0)
    nobody = np.zeros(GAMES, np.bool_)
    for own in (1.0, 0.0, -2.0):
        rewards = np.full((GAMES, AGENTS), own, np.float32)
        assert scheme.shape(rewards, nobody).tolist() == [own] * GAMES


def test_an_episode_s_last_rewards_count_in_it_and_not_in_the_next():
    scheme = social(reward="inequity_averse", smoothing=0.9, **WEIGHTS)
    others_ate = np.ones((GAMES, AGENTS), np.float32)
    others_ate[:, 2] = 0
    last = np.array([True, False, True])
    assert scheme.shape(others_ate, last) == pytest.approx([-5.0] * 3)
    nothing = np.zeros((GAMES, AGENTS), np.float32)
    after = scheme.shape(nothing, np.zeros(GAMES, np.bool_))
    assert after == pytest.approx([0, -5 * 0.9, 0])


def test_a_reward_is_float32_whatever_the_scheme(life):
    for reward in ("prosocial", "inequity_averse"):
        shaped = social(reward=reward).shape(life[0][0], life[1][0])
        assert (shaped.dtype, shaped.shape) == (np.float32, (GAMES,))


def test_prosocial_with_no_weight_for_others_is_one_s_own():
    rewards = np.array([[1.0, 2.0, 4.0]])
    assert prosocial(rewards, 1, 0.0).tolist() == [2.0]
    assert prosocial(rewards, 1, 2.0).tolist() == [12.0]


def test_one_s_own_reward_needs_no_scheme():
    with pytest.raises(ValueError, match='reward = "own"'):
        social(reward="own")


@pytest.mark.parametrize("reward", ["prosocial", "inequity_averse"])
def test_one_who_is_alone_has_nobody_to_compare_with(reward):
    experiment = ExperimentSettings(reward=reward)
    with pytest.raises(ValueError, match="needs another agent"):
        SocialReward(experiment, 0, 1, GAMES)
