"""V-trace against remark 1 of the IMPALA paper, as it is printed: sums of products, in loops."""

import math

import numpy as np
import pytest
import torch

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


def value_literally(table, s, b, rho_clip, c_clip):
    """v_s = V(x_s) + Σ_{t=s}^{n−1} ( Π_{i=s}^{t−1} γ_i c_i ) δ_t V, with a discount per step."""
    log_ratio, reward, discount, value = table
    target = value[s, b]
    for t in range(s, STEPS):
        product = 1.0
        for i in range(s, t):
            product *= discount[i, b] * min(c_clip, math.exp(log_ratio[i, b]))
        rho = min(rho_clip, math.exp(log_ratio[t, b]))
        target += product * rho * (reward[t, b] + discount[t, b] * value[t + 1, b] - value[t, b])
    return target


def return_literally(table, s, b):
    """r_s + γ r_{s+1} + … until the episode or the segment ends; the segment's end bootstraps."""
    _, reward, discount, value = table
    total, weight = 0.0, 1.0
    for t in range(s, STEPS):
        total += weight * reward[t, b]
        weight *= discount[t, b]
    return total + weight * value[STEPS, b]


@pytest.mark.parametrize(("rho_clip", "c_clip"), [(1.0, 1.0), (2.5, 0.7), (math.inf, math.inf)])
def test_a_target_is_the_paper_s_sum_of_products(table, rho_clip, c_clip):
    targets = vtrace(*as_tensors(table), rho_clip, c_clip)
    for s in range(STEPS):
        for b in range(GAMES):
            literal = value_literally(table, s, b, rho_clip, c_clip)
            assert targets.value[s, b].item() == pytest.approx(literal, abs=1e-9)


def test_the_advantage_is_towards_the_next_target_and_the_last_one_bootstraps(table):
    log_ratio, reward, discount, value = table
    advantage = vtrace(*as_tensors(table)).advantage
    for s in range(STEPS):
        for b in range(GAMES):
            last = s == STEPS - 1
            then = value[STEPS, b] if last else value_literally(table, s + 1, b, 1.0, 1.0)
            rho = min(1.0, math.exp(log_ratio[s, b]))
            literal = rho * (reward[s, b] + discount[s, b] * then - value[s, b])
            assert advantage[s, b].item() == pytest.approx(literal, abs=1e-9)


@pytest.mark.parametrize(("rho_clip", "c_clip"), [(1.0, 1.0), (3.0, 1.5)])
def test_on_policy_a_target_is_the_n_step_return(table, rho_clip, c_clip):
    on_policy = (np.zeros((STEPS, GAMES)), *table[1:])
    targets = vtrace(*as_tensors(on_policy), rho_clip, c_clip)
    for s in range(STEPS):
        for b in range(GAMES):
            literal = return_literally(on_policy, s, b)
            assert targets.value[s, b].item() == pytest.approx(literal, abs=1e-9)


def test_an_action_that_the_learner_would_never_take_teaches_nothing(table):
    never = (np.full((STEPS, GAMES), -np.inf), *table[1:])
    targets = vtrace(*as_tensors(never))
    assert torch.equal(targets.value, torch.from_numpy(table[3][:-1]))
    assert not targets.advantage.any()


def test_what_comes_after_an_episode_s_end_changes_no_target_before_it(table):
    discount = table[2].copy()
    discount[4] = 0.0
    tables = [table[0].copy(), table[1].copy(), discount, table[3].copy()]
    before = vtrace(*as_tensors(tables))
    for changed in (tables[0], tables[1], tables[2], tables[3]):
        changed[5:] = np.random.default_rng(9).normal(0, 5, changed[5:].shape)
    after = vtrace(*as_tensors(tables))
    assert torch.equal(before.value[:5], after.value[:5])
    assert torch.equal(before.advantage[:5], after.advantage[:5])
    assert not torch.equal(before.value[5:], after.value[5:])


def test_targets_are_numbers_and_no_gradient_path(table):
    tensors = [tensor.requires_grad_() for tensor in as_tensors(table)]
    assert not any(target.requires_grad for target in vtrace(*tensors))
