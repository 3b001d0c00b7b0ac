import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.influence.rewards.influence_formula import influence_reward
from torch import Tensor

GAMES, ACTIONS, OTHERS = 5, 7, 3
DIVERGENCES = ("kl", "jsd", "pmi")
MODERATE = st.floats(-6, 6)
EXTREME = st.floats(-1e4, 1e4) | st.sampled_from([-1e4, 0.0, 1e4])

unhurried = settings(deadline=None, max_examples=50)  # on a busy machine, any example may be slow


def moments(logits: st.SearchStrategy[float], games: int = 2):
    """Counterfactual logits [B, A, J, A] and policy logits [B, A], float64."""
    tables = hnp.arrays(np.float64, (games, 4, 3, 4), elements=logits)
    policies = hnp.arrays(np.float64, (games, 4), elements=logits)
    return st.tuples(tables, policies).map(lambda pair: tuple(map(torch.from_numpy, pair)))


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def divergence_literally(name, given_action, marginal, did_next) -> float:
    pairs = list(zip(given_action, marginal, strict=True))
    if name == "kl":
        return sum(p * math.log(p / q) for p, q in pairs)
    if name == "jsd":
        return sum(
            0.5 * p * math.log(2 * p / (p + q)) + 0.5 * q * math.log(2 * q / (p + q))
            for p, q in pairs
        )
    return math.log(given_action[did_next] / marginal[did_next])


def influence_literally(table, policy, action, visible, name, next_actions) -> list[float]:
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
            if visible[b, j]:
                reward += divergence_literally(name, p[action[b]], marginal, next_actions[b, j])
        rewards.append(reward)
    return rewards


@pytest.fixture(params=[ACTIONS, 4, 9], ids=["of actions", "of few symbols", "of many symbols"])
def moment(request) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Table, policy, choice, visible, next actions; agents as many as no axis is long."""
    alternatives = request.param
    return (
        3 * torch.randn(GAMES, alternatives, OTHERS, ACTIONS, dtype=torch.float64),
        2 * torch.randn(GAMES, alternatives, dtype=torch.float64),
        torch.randint(0, alternatives, (GAMES,), dtype=torch.uint8),
        torch.rand(GAMES, OTHERS) < 0.6,
        torch.randint(0, ACTIONS, (GAMES, OTHERS), dtype=torch.uint8),
    )


@pytest.mark.parametrize("name", DIVERGENCES)
def test_influence_is_the_paper_s_formula(moment, name):
    table, policy, action, visible, next_actions = moment
    fast = influence_reward(table, policy, action, visible, name, next_actions)
    literal = influence_literally(*(tensor.numpy() for tensor in moment[:4]), name, moment[4])
    assert fast.tolist() == pytest.approx(literal, abs=1e-10)


def each_action(table, policy, name) -> Tensor:
    """[A, J, B]: influence of each action on each other agent alone."""
    games, actions, others, _ = table.shape
    alone = torch.eye(others, dtype=torch.bool)
    return torch.stack(
        [
            torch.stack(
                [
                    influence_reward(
                        table, policy, torch.full((games,), a), alone[j].expand(games, -1), name
                    )
                    for j in range(others)
                ]
            )
            for a in range(actions)
        ]
    )


@unhurried
@given(moments(MODERATE))
def test_kl_is_at_least_0_and_at_most_how_surprising_the_action_was(moment):
    table, policy = moment
    influence = each_action(table, policy, "kl")
    surprise = -policy.log_softmax(-1).t()[:, None]
    assert (influence >= -1e-12).all()
    assert (influence <= surprise + 1e-9).all()


@unhurried
@given(moments(MODERATE))
def test_jsd_is_at_least_0_and_at_most_log_2(moment):
    influence = each_action(*moment, "jsd")
    assert (influence >= -1e-12).all()
    assert (influence <= math.log(2) + 1e-12).all()


def mutual_information(table, policy) -> Tensor:
    """[J, B] the middle of equation 5, from the joint distribution of both agents' actions."""
    joint = policy.softmax(-1)[:, :, None, None] * table.softmax(-1)  # [B, Aᵏ, J, Aʲ]
    own, other = joint.sum(3, keepdim=True), joint.sum(1, keepdim=True)
    return (joint * (joint / (own * other)).log()).sum((1, 3)).t()


@unhurried
@given(moments(MODERATE))
def test_mean_kl_over_the_policy_is_the_mutual_information_of_equation_5(moment):
    table, policy = moment
    mean = (policy.softmax(-1).t()[:, None] * each_action(table, policy, "kl")).sum(0)
    torch.testing.assert_close(mean, mutual_information(table, policy), rtol=0, atol=1e-9)


@unhurried
@given(moments(MODERATE, games=1))
def test_mean_pmi_over_the_joint_is_the_mutual_information(moment):
    table, policy = moment
    probs, choice = table.softmax(-1)[0], policy.softmax(-1)[0]
    mean = torch.zeros(3, dtype=torch.float64)
    for j, seen in enumerate(torch.eye(3, dtype=torch.bool)):
        for own in range(4):
            for other in range(4):
                did = torch.tensor([own]), seen[None], "pmi", torch.full((1, 3), other)
                reward = influence_reward(table, policy, *did)[0]
                mean[j] += choice[own] * probs[own, j, other] * reward
    torch.testing.assert_close(mean, mutual_information(table, policy)[:, 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", DIVERGENCES)
@unhurried
@given(moment=moments(EXTREME), action=st.integers(0, 3))
def test_however_extreme_the_logits_influence_is_finite(name, dtype, moment, action):
    table, policy = (logits.to(dtype) for logits in moment)
    seen = torch.tensor([[True, False, True]] * 2)
    did = torch.full((2,), action), seen, name, torch.tensor([[0, 1, 2]] * 2)
    assert influence_reward(table, policy, *did).isfinite().all()


@pytest.mark.parametrize("certainty", [1e4, math.inf])
@pytest.mark.parametrize("name", DIVERGENCES)
@unhurried
@given(moment=moments(MODERATE), action=st.integers(0, 3))
def test_one_who_could_do_nothing_else_has_moved_nobody(name, certainty, moment, action):
    table, policy = moment[0], torch.full_like(moment[1], -certainty)
    policy[:, action] = 0
    did = torch.full((2,), action), torch.ones(2, 3, dtype=torch.bool), name
    influence = influence_reward(table, policy, *did, torch.tensor([[0, 1, 2]] * 2))
    assert influence.tolist() == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_one_broken_game_breaks_no_other_and_is_not_hushed_up(moment, name):
    whole = influence_reward(*moment[:4], name, moment[4])
    table = moment[0].clone()
    table[2, 0, 0, 0] = math.nan
    visible = moment[3].clone()
    visible[2] = True
    broken = influence_reward(table, moment[1], moment[2], visible, name, moment[4])
    assert broken.isnan().tolist() == [False, False, True, False, False]
    rest = [0, 1, 3, 4]
    assert torch.equal(broken[rest], whole[rest])


@pytest.mark.parametrize("name", DIVERGENCES)
def test_an_agent_out_of_view_counts_for_nothing(moment, name):
    table, policy, action, _, next_actions = moment
    nobody = torch.zeros(GAMES, OTHERS, dtype=torch.bool)
    assert influence_reward(table, policy, action, nobody, name, next_actions).tolist() == [0] * 5


def test_pmi_without_the_next_actions_is_an_error(moment):
    with pytest.raises(ValueError, match="needs next_actions"):
        influence_reward(*moment[:4], "pmi")
