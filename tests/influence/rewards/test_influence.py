"""The influence reward: against its formula and its bounds; the formula against the paper."""

import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.influence.rewards.influence_formula import influence_formula

from ssd_influence.inference.decision import Sample
from ssd_influence.kernels.divergences import DIVERGENCES, divergence_named
from ssd_influence.rewards.influence import influence_reward

GAMES, ACTIONS, OTHERS = 5, 7, 3
MODERATE = st.floats(-6, 6, width=32)
EXTREME = st.floats(-1e4, 1e4, width=32) | st.sampled_from([-1e4, 0.0, 1e4])

every_divergence = pytest.mark.parametrize("name", DIVERGENCES)
without_deadline = settings(deadline=None, max_examples=50)  # a busy machine may be slow


def tables(logits: st.SearchStrategy[float], games: int = 2):
    """Counterfactual logits [B, C, J, A] and policy logits [B, C], float32."""
    tables = hnp.arrays(np.float32, (games, 4, 3, 4), elements=logits)
    policies = hnp.arrays(np.float32, (games, 4), elements=logits)
    return st.tuples(tables, policies)


def influence(table, policy, choice, counted, name, next_actions=None, rows=None):
    """`influence_reward` of copies of logits [B, C, J, A] and [B, C], in all games."""
    games, alternatives = policy.shape
    sample = Sample(policy.astype(np.float32), choice.astype(np.uint8), np.empty(0, np.float32))
    rows = np.arange(games) if rows is None else rows
    table = table[rows].astype(np.float32).reshape(len(rows), alternatives, -1)
    return influence_reward(table, sample, counted, name, rows, next_actions)


def formula(table, policy, choice, counted, name, next_actions):
    """[B] `influence_formula` of arrays."""
    tensors = map(torch.from_numpy, (table, policy, choice, counted))
    return influence_formula(*tensors, name, torch.from_numpy(next_actions)).numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    return weights / weights.sum()


def divergence_in_loops(name, conditional, marginal, next_action) -> float:
    pairs = list(zip(conditional, marginal, strict=True))
    if name == "kl":
        return sum(p * math.log(p / q) for p, q in pairs)
    if name == "jsd":
        return sum(
            0.5 * p * math.log(2 * p / (p + q)) + 0.5 * q * math.log(2 * q / (p + q))
            for p, q in pairs
        )
    if name == "pmi":
        return math.log(conditional[next_action] / marginal[next_action])
    raise ValueError(f"no literal version of {name}")


def influence_in_loops(table, policy, choice, counted, name, next_actions) -> list[float]:
    """Equation 1 as the paper writes it: probabilities, and a loop for every sum."""
    rewards = []
    for b in range(len(table)):
        pi = softmax(policy[b])
        reward = 0.0
        for j in range(table.shape[2]):
            p = [softmax(table[b, tilde, j]) for tilde in range(len(pi))]
            marginal = [
                sum(pi[tilde] * p[tilde][a] for tilde in range(len(pi)))
                for a in range(table.shape[3])
            ]
            if counted[b, j]:
                reward += divergence_in_loops(name, p[choice[b]], marginal, next_actions[b, j])
        rewards.append(reward)
    return rewards


def draw(alternatives=ACTIONS, scale=3.0, games=GAMES):
    """Table, policy, choice, counted and next actions; all axes have different sizes."""
    rng = np.random.default_rng(7)
    return (
        (rng.normal(size=(games, alternatives, OTHERS, ACTIONS)) * scale).astype(np.float32),
        (rng.normal(size=(games, alternatives)) * 2 * scale / 3).astype(np.float32),
        rng.integers(0, alternatives, games).astype(np.uint8),
        rng.random((games, OTHERS)) < 0.6,
        rng.integers(0, ACTIONS, (games, OTHERS)).astype(np.uint8),
    )


@pytest.mark.parametrize("alternatives", [ACTIONS, 4, 9], ids=["actions", "few symbols", "many"])
@every_divergence
def test_the_formula_in_log_space_equals_the_paper_s_sums(alternatives, name):
    *inputs, next_actions = draw(alternatives)
    literal = influence_in_loops(*inputs, name, next_actions)
    assert formula(*inputs, name, next_actions).tolist() == pytest.approx(literal, abs=1e-10)


@every_divergence
@pytest.mark.parametrize("scale", [0.1, 3.0, 60.0])
@pytest.mark.parametrize("alternatives", [2, 4, 9])
def test_influence_equals_the_formula_in_the_selected_games_and_is_0_in_others(
    name, scale, alternatives
):
    *inputs, next_actions = draw(alternatives, scale, games=6)
    rows = np.array([0, 1, 3, 5])
    wanted = formula(*inputs, name, next_actions)[rows]
    found = influence(*inputs, name, next_actions, rows)
    assert found.dtype == np.float32
    assert found[rows] == pytest.approx(wanted, abs=1e-5 * max(1.0, scale))
    assert not np.delete(found, rows).any()


@pytest.mark.parametrize("name", ["kl", "jsd"])
def test_the_smallest_influence_is_not_lost_to_rounding(name):
    rng = np.random.default_rng(3)
    base = rng.normal(size=(1, 1, 3, 4))
    table = (base + 1e-4 * rng.normal(size=(50, 4, 3, 4))).astype(np.float32)
    policy = rng.normal(size=(50, 4)).astype(np.float32)
    choice, counted = rng.integers(0, 4, 50).astype(np.uint8), np.ones((50, 3), np.bool_)
    found = influence(table, policy, choice, counted, name)
    assert (found > 0).all()
    exact = formula(table, policy, choice, counted, name, np.zeros((50, 3), np.uint8))
    assert found.mean() == pytest.approx(exact.mean(), rel=0.01)


def by_choice_and_agent(table, policy, name) -> np.ndarray:
    """[C, J, B]: influence of each choice on each other agent alone."""
    games, alternatives, others, _ = table.shape
    alone = np.eye(others, dtype=np.bool_)
    return np.array(
        [
            [
                influence(table, policy, np.full(games, c), np.tile(alone[j], (games, 1)), name)
                for j in range(others)
            ]
            for c in range(alternatives)
        ],
        np.float64,
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).double().log_softmax(-1).numpy()


@without_deadline
@given(tables(MODERATE))
def test_kl_is_at_least_0_and_at_most_the_surprise_of_the_action(logits):
    table, policy = logits
    found = by_choice_and_agent(table, policy, "kl")
    surprise = -log_softmax(policy).T[:, None]
    assert (found >= -1e-6).all()
    assert (found <= surprise + 1e-5).all()


@without_deadline
@given(tables(MODERATE))
def test_jsd_is_at_least_0_and_at_most_log_2(logits):
    found = by_choice_and_agent(*logits, "jsd")
    assert (found >= -1e-6).all()
    assert (found <= math.log(2) + 1e-6).all()


def mutual_information(table, policy) -> np.ndarray:
    """[J, B] the middle of equation 5, from the joint distribution of both agents' actions."""
    pi, p = np.exp(log_softmax(policy)), np.exp(log_softmax(table))
    joint = pi[:, :, None, None] * p  # [B, Aᵏ, J, Aʲ]
    own, other = joint.sum(3, keepdims=True), joint.sum(1, keepdims=True)
    return (joint * np.log(joint / (own * other))).sum((1, 3)).T


@without_deadline
@given(tables(MODERATE))
def test_mean_kl_over_the_policy_is_the_mutual_information_of_equation_5(logits):
    table, policy = logits
    pi = np.exp(log_softmax(policy)).T[:, None]
    mean = (pi * by_choice_and_agent(table, policy, "kl")).sum(0)
    np.testing.assert_allclose(mean, mutual_information(table, policy), rtol=0, atol=1e-5)


@without_deadline
@given(tables(MODERATE, games=1))
def test_mean_pmi_over_the_joint_is_the_mutual_information(logits):
    table, policy = logits
    p, pi = np.exp(log_softmax(table))[0], np.exp(log_softmax(policy))[0]
    mean = np.zeros(3)
    for j, alone in enumerate(np.eye(3, dtype=np.bool_)):
        for own in range(4):
            for other in range(4):
                next_actions = np.full((1, 3), other, np.uint8)
                known = np.array([own]), alone[None], "pmi", next_actions
                mean[j] += pi[own] * p[own, j, other] * influence(table, policy, *known)[0]
    np.testing.assert_allclose(mean, mutual_information(table, policy)[:, 0], rtol=0, atol=1e-5)


NEXT = np.array([[0, 1, 2]] * 2, np.uint8)


@every_divergence
@without_deadline
@given(logits=tables(EXTREME), choice=st.integers(0, 3))
def test_influence_is_finite_for_extreme_logits(name, logits, choice):
    counted = np.array([[True, False, True]] * 2)
    assert np.isfinite(influence(*logits, np.full(2, choice), counted, name, NEXT)).all()


@pytest.mark.parametrize("certainty", [1e4, math.inf])
@every_divergence
@without_deadline
@given(logits=tables(MODERATE), choice=st.integers(0, 3))
def test_a_certain_choice_has_no_influence(name, certainty, logits, choice):
    table, policy = logits[0], np.full_like(logits[1], -certainty)
    policy[:, choice] = 0
    everyone = np.ones((2, 3), np.bool_)
    found = influence(table, policy, np.full(2, choice), everyone, name, NEXT)
    assert found.tolist() == pytest.approx([0, 0], abs=1e-6)


@every_divergence
def test_a_nan_stays_visible_and_in_its_own_game(name):
    table, policy, choice, counted, next_actions = draw()
    whole = influence(table, policy, choice, counted, name, next_actions)
    table[2, 0, 0, 0] = math.nan
    counted[2] = True
    broken = influence(table, policy, choice, counted, name, next_actions)
    assert np.isnan(broken).tolist() == [False, False, True, False, False]
    assert np.delete(broken, 2).tolist() == np.delete(whole, 2).tolist()


@every_divergence
def test_agents_that_do_not_count_add_nothing(name):
    table, policy, choice, counted, next_actions = draw()
    nobody = np.zeros_like(counted)
    assert influence(table, policy, choice, nobody, name, next_actions).tolist() == [0] * GAMES


@pytest.mark.parametrize("name", [n for n, of in DIVERGENCES.items() if of.needs_next_actions])
def test_a_divergence_that_needs_the_next_actions_refuses_none(name):
    *inputs, _ = draw()
    with pytest.raises(ValueError, match=f"divergence '{name}' needs next_actions, found None"):
        influence(*inputs, name)


def test_an_unknown_divergence_is_refused_and_the_known_ones_are_named():
    *inputs, next_actions = draw()
    for call in (
        lambda: divergence_named("mse"),
        lambda: influence(*inputs, "mse", next_actions),
    ):
        with pytest.raises(
            ValueError, match=f"wanted one of {', '.join(DIVERGENCES)}, found 'mse'"
        ):
            call()
