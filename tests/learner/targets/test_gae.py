"""GAE against the paper's mixture of n-step advantages, in loops."""

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.targets.gae import gae

STEPS, SEGMENT, GAMES = 12, 4, 6
GAMMA = 0.93


@pytest.fixture
def table():
    """Rewards, discounts and values in float64 of three consecutive segments of 4 steps.

    By game, episodes end: nowhere; inside; at a segment's last step; at the step after it; at the
    very last step; and nearly everywhere.
    """
    rng = np.random.default_rng(1)
    discount = np.full((STEPS, GAMES), GAMMA)
    ends = [[], [1, 6], [SEGMENT - 1, 2 * SEGMENT - 1], [SEGMENT], [STEPS - 1], [0, 2, 3, 4, 9, 11]]
    for game, steps in enumerate(ends):
        discount[steps, game] = 0.0
    reward = rng.normal(0, 1.0, (STEPS, GAMES))
    return reward, discount, rng.normal(0, 2.0, (STEPS + 1, GAMES))


def estimate(table, gae_lambda):
    """Advantages, targets and errors."""
    return [of.numpy() for of in gae(*map(torch.from_numpy, table), gae_lambda)]


@pytest.mark.parametrize("gae_lambda", [0.0, 0.3, 0.9, 1.0])
def test_an_advantage_is_the_paper_s_mixture_of_n_step_advantages(table, gae_lambda):
    advantages, targets, errors = estimate(table, gae_lambda)
    for s, b in np.ndindex(STEPS, GAMES):
        wanted = literal.gae_advantage(*table, gae_lambda, s, b)
        assert advantages[s, b] == pytest.approx(wanted, abs=1e-12)
        assert errors[s, b] == pytest.approx(wanted, abs=1e-12)
        assert targets[s, b] == pytest.approx(wanted + table[2][s, b], abs=1e-12)


def test_with_lambda_1_targets_are_discounted_rewards_and_bootstrap_at_the_end_only(table):
    reward, discount, value = table
    _, targets, _ = estimate(table, 1.0)
    for s, b in np.ndindex(STEPS, GAMES):
        total, weight = 0.0, 1.0
        for t in range(s, STEPS):
            total += weight * reward[t, b]
            weight *= discount[t, b]
        assert targets[s, b] == pytest.approx(total + weight * value[STEPS, b], abs=1e-12)


def test_with_lambda_0_targets_are_the_reward_and_the_next_value(table):
    reward, discount, value = table
    _, targets, _ = estimate(table, 0.0)
    assert targets == pytest.approx(reward + discount * value[1:], abs=1e-12)


@pytest.mark.parametrize("gae_lambda", [0.9, 1.0])
def test_estimates_before_an_episode_s_end_ignore_everything_after_it(table, gae_lambda):
    reward, discount, value = (of.copy() for of in table)
    discount[4] = 0.0
    before = estimate((reward, discount, value), gae_lambda)
    for changed in (reward, discount, value):
        changed[5:] = np.random.default_rng(9).normal(0, 5, changed[5:].shape)
    after = estimate((reward, discount, value), gae_lambda)
    for one, other in zip(before, after, strict=True):
        assert (one[:5] == other[:5]).all()
        assert (one[5:] != other[5:]).any()


def test_estimates_have_no_gradient(table):
    tensors = [torch.from_numpy(of).requires_grad_() for of in table]
    assert not any(of.requires_grad for of in gae(*tensors, 0.9))
