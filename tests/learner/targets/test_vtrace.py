"""V-trace against remark 1 of the IMPALA paper: sums of products, in loops."""

import math

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.targets.vtrace import vtrace

STEPS, GAMES = 9, 4
GAMMA = 0.93


@pytest.fixture(params=range(5))
def table(request):
    """log π/μ, rewards, discounts and values in float64; some episodes end inside."""
    rng = np.random.default_rng(request.param)
    discount = GAMMA * (rng.random((STEPS, GAMES)) > 0.15)
    return (
        rng.normal(0, 1.0, (STEPS, GAMES)),
        rng.normal(0, 1.0, (STEPS, GAMES)),
        discount,
        rng.normal(0, 2.0, (STEPS + 1, GAMES)),
    )


def as_tensors(table):
    return tuple(map(torch.from_numpy, table))


def literal_return(table, s, b):
    """r_s + γ r_{s+1} + … until the episode or the table ends; the table's end bootstraps."""
    _, reward, discount, value = table
    total, weight = 0.0, 1.0
    for t in range(s, STEPS):
        total += weight * reward[t, b]
        weight *= discount[t, b]
    return total + weight * value[STEPS, b]


@pytest.mark.parametrize("clips", [(1.0, 1.0), (2.5, 0.7), (math.inf, math.inf)])
def test_a_target_is_the_paper_s_sum_of_products(table, clips):
    estimates = vtrace(*as_tensors(table), *clips)
    for s, b in np.ndindex(STEPS, GAMES):
        wanted = literal.vtrace_target(*table, clips, s, b)
        assert estimates.target[s, b].item() == pytest.approx(wanted, abs=1e-9)
        error = wanted - table[3][s, b]
        assert estimates.error[s, b].item() == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("clips", [(1.0, 1.0), (2.5, 0.7)])
def test_an_advantage_is_relative_to_the_next_target_and_the_last_one_bootstraps(
    table, clips, weighted
):
    log_ratio, reward, discount, value = table
    advantage = vtrace(*as_tensors(table), *clips, weighted=weighted).advantage
    for s, b in np.ndindex(STEPS, GAMES):
        following = literal.vtrace_target(*table, clips, s + 1, b)
        rho = min(clips[0], math.exp(log_ratio[s, b])) if weighted else 1.0
        wanted = rho * (reward[s, b] + discount[s, b] * following - value[s, b])
        assert advantage[s, b].item() == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("rho_clip", "c_clip"), [(1.0, 1.0), (3.0, 1.5)])
def test_on_policy_a_target_is_the_n_step_return(table, rho_clip, c_clip):
    on_policy = (np.zeros((STEPS, GAMES)), *table[1:])
    targets = vtrace(*as_tensors(on_policy), rho_clip, c_clip).target
    for s, b in np.ndindex(STEPS, GAMES):
        wanted = literal_return(on_policy, s, b)
        assert targets[s, b].item() == pytest.approx(wanted, abs=1e-9)


def test_an_action_that_the_learner_would_never_take_has_no_effect(table):
    never = (np.full((STEPS, GAMES), -np.inf), *table[1:])
    estimates = vtrace(*as_tensors(never))
    assert torch.equal(estimates.target, torch.from_numpy(table[3][:-1]))
    assert not estimates.advantage.any()


def test_estimates_before_an_episode_s_end_ignore_everything_after_it(table):
    discount = table[2].copy()
    discount[4] = 0.0
    tables = [table[0].copy(), table[1].copy(), discount, table[3].copy()]
    before = vtrace(*as_tensors(tables))
    for changed in tables:
        changed[5:] = np.random.default_rng(9).normal(0, 5, changed[5:].shape)
    after = vtrace(*as_tensors(tables))
    assert torch.equal(before.target[:5], after.target[:5])
    assert torch.equal(before.advantage[:5], after.advantage[:5])
    assert not torch.equal(before.target[5:], after.target[5:])


def test_estimates_have_no_gradient(table):
    tensors = [tensor.requires_grad_() for tensor in as_tensors(table)]
    assert not any(of.requires_grad for of in vtrace(*tensors))
