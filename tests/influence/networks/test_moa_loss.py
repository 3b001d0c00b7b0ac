"""The MOA's loss, targets and mask, against loops."""

import math

import pytest
import torch

from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)

STEPS, GAMES, AGENTS, ACTIONS = 6, 5, 4, 7
OTHERS = (0, 2, 3)


@pytest.fixture
def segment():
    is_first = torch.zeros(STEPS + 1, GAMES, dtype=torch.bool)
    is_first[0, 1] = is_first[3, 2] = is_first[STEPS, 4] = True
    visible = torch.rand(STEPS + 1, GAMES, AGENTS) < 0.5
    actions = torch.randint(0, ACTIONS, (STEPS + 2, GAMES, AGENTS), dtype=torch.uint8)
    return is_first, visible, actions


def test_the_target_at_t_is_each_other_agent_s_action_at_t_plus_1(segment):
    actions = segment[2]
    targets = moa_targets(actions, OTHERS)
    assert targets.shape == (STEPS, GAMES, len(OTHERS))
    for t in range(STEPS):
        a_tp1 = actions[t + 2]  # actions start at a_{-1}
        assert torch.equal(targets[t], a_tp1[:, list(OTHERS)].long())


@pytest.mark.parametrize("only_when_visible", [False, True])
def test_a_target_counts_within_its_episode_and_if_required_only_for_agents_in_view(
    segment, only_when_visible
):
    is_first, visible, _ = segment
    mask = moa_targets_mask(is_first, visible, OTHERS, only_when_visible)
    for t in range(STEPS):
        for b in range(GAMES):
            for i, j in enumerate(OTHERS):
                last_of_episode = is_first[t + 1, b]
                in_view = visible[t, b, j] or not only_when_visible
                assert mask[t, b, i] == (in_view and not last_of_episode), (t, b, j)


def test_the_loss_is_the_mean_cross_entropy_of_the_targets_that_count(segment):
    is_first, visible, actions = segment
    logits = torch.randn(STEPS, GAMES, len(OTHERS), ACTIONS, dtype=torch.float64)
    targets = moa_targets(actions, OTHERS)
    mask = moa_targets_mask(is_first, visible, OTHERS, only_when_visible=True)
    terms = [
        -logits[t, b, i].log_softmax(-1)[targets[t, b, i]].item()
        for t, b, i in mask.nonzero().tolist()
    ]
    assert len(terms) < mask.numel()
    assert moa_loss(logits, targets, mask).item() == pytest.approx(sum(terms) / len(terms))


def test_targets_that_do_not_count_have_no_gradient(segment):
    is_first, visible, actions = segment
    logits = torch.randn(STEPS, GAMES, len(OTHERS), ACTIONS, requires_grad=True)
    mask = moa_targets_mask(is_first, visible, OTHERS, only_when_visible=True)
    moa_loss(logits, moa_targets(actions, OTHERS), mask).backward()
    assert torch.equal(logits.grad.abs().sum(-1) > 0, mask)


def test_if_no_target_counts_the_loss_and_its_gradient_are_zero():
    logits = torch.randn(STEPS, GAMES, 3, ACTIONS, requires_grad=True)
    nothing = torch.zeros(STEPS, GAMES, 3, dtype=torch.bool)
    targets = torch.zeros(STEPS, GAMES, 3, dtype=torch.long)
    loss = moa_loss(logits, targets, nothing)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
    assert action_marginal_entropy(targets, nothing, ACTIONS).item() == 0


def test_marginal_entropy_is_the_smallest_loss_of_a_constant_prediction(segment):
    """The best constant prediction for each agent is the frequency of its actions."""
    is_first, visible, actions = segment
    targets = moa_targets(actions, OTHERS)
    mask = moa_targets_mask(is_first, visible, OTHERS, only_when_visible=True)
    frequency = torch.zeros(len(OTHERS), ACTIONS)
    for t, b, i in mask.nonzero().tolist():
        frequency[i, targets[t, b, i]] += 1
    logits = frequency.log().clamp(min=-100).expand(STEPS, GAMES, -1, -1)
    entropy = action_marginal_entropy(targets, mask, ACTIONS)
    assert entropy.item() == pytest.approx(moa_loss(logits, targets, mask).item(), abs=1e-6)


def test_marginal_entropy_of_counts_worked_out_by_hand():
    """One agent always takes 2; another takes 0 and 1 equally often: (4 · 0 + 4 · log 2) / 8."""
    targets = torch.tensor([[2, 0], [2, 1], [2, 0], [2, 1]])[:, None]
    entropy = action_marginal_entropy(targets, torch.ones_like(targets).bool(), 3)
    assert entropy.item() == pytest.approx(math.log(2) / 2)
