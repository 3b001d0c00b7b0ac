"""PPO's losses of one head against loops, and where the clip stops the gradient."""

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.ppo.chunks import HeadSamples
from ssd_learner.ppo.head_losses import clipped_losses

CLIP, ACTIONS = 0.2, 7
LOSSES = ("policy", "value", "entropy", "kl", "clipped_share")
RATIOS = [0.3, 0.79, 0.81, 1.0, 1.19, 1.21, 4.0]


@pytest.fixture
def inputs():
    """Logits, values and samples in float64: every ratio with advantages of both signs and 0."""
    rng = np.random.default_rng(4)
    ratio, advantage = np.meshgrid(RATIOS, [-1.7, -0.2, 0.0, 0.4, 2.5], indexing="ij")
    logits = torch.from_numpy(rng.normal(0, 1, (*ratio.shape, ACTIONS))).requires_grad_()
    values = torch.from_numpy(rng.normal(0, 1, ratio.shape)).requires_grad_()
    action = torch.from_numpy(rng.integers(0, ACTIONS, ratio.shape))
    log_prob = logits.detach().log_softmax(-1).gather(-1, action.unsqueeze(-1)).squeeze(-1)
    return (
        logits,
        values,
        HeadSamples(
            action=action,
            log_prob=log_prob - torch.from_numpy(np.log(ratio)),
            advantage=torch.from_numpy(advantage),
            target=torch.from_numpy(rng.normal(0, 1, ratio.shape)),
        ),
    )


@pytest.mark.parametrize("ratio_clip", [CLIP, 0.05, 0.9, 10.0])
def test_each_loss_equals_its_definition(inputs, ratio_clip):
    wanted = literal.clipped_losses(*inputs, ratio_clip)
    found = clipped_losses(*inputs, ratio_clip).scalars()
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(wanted, rel=1e-6)


def test_the_total_is_the_weighted_sum_of_policy_loss_value_loss_and_negative_entropy(inputs):
    losses = clipped_losses(*inputs, CLIP)
    wanted = losses.policy + 0.4 * losses.value - 0.03 * losses.entropy
    assert losses.total(0.4, 0.03).item() == pytest.approx(wanted.item())


def test_only_policy_loss_value_loss_and_entropy_have_gradients(inputs):
    losses = clipped_losses(*inputs, CLIP)
    without = [name for name in LOSSES if not getattr(losses, name).requires_grad]
    assert without == ["kl", "clipped_share"]
    assert not any(of.requires_grad for of in losses.scalars().values())


def test_a_sample_has_no_gradient_once_its_ratio_is_beyond_the_clip_on_its_advantage_s_side(inputs):
    logits, values, samples = inputs
    clipped_losses(*inputs, CLIP).policy.backward()
    for place, advantage in np.ndenumerate(samples.advantage.numpy()):
        ratio = RATIOS[place[0]]
        is_clipped = ratio > 1 + CLIP if advantage > 0 else ratio < 1 - CLIP
        slope = 0.0 if is_clipped or advantage == 0 else -advantage * ratio / values.numel()
        policy = logits[place].detach().softmax(-1)
        direction = torch.eye(ACTIONS)[samples.action[place]] - policy
        wanted = (slope * direction).tolist()
        assert logits.grad[place].tolist() == pytest.approx(wanted, abs=1e-12)
        assert logits.grad[place].any() == bool(slope)


def test_the_policy_loss_has_no_gradient_in_values_nor_the_value_loss_in_logits(inputs):
    logits, values, samples = inputs
    losses = clipped_losses(*inputs, CLIP)
    losses.policy.backward(retain_graph=True)
    assert values.grad is None
    logits.grad = None
    losses.value.backward()
    assert logits.grad is None
    wanted = (values - samples.target).detach() / values.numel()
    torch.testing.assert_close(values.grad, wanted)


def test_on_policy_nothing_is_clipped_and_kl_is_0(inputs):
    logits, values, samples = inputs
    now = logits.detach().log_softmax(-1).gather(-1, samples.action.unsqueeze(-1)).squeeze(-1)
    losses = clipped_losses(logits, values, samples._replace(log_prob=now), CLIP)
    assert losses.kl.item() == pytest.approx(0, abs=1e-12)
    assert losses.clipped_share == 0
    assert losses.policy.item() == pytest.approx(-samples.advantage.mean().item())


def test_the_kl_estimate_is_never_negative_and_unbiased():
    rng = np.random.default_rng(6)
    acting, now = (torch.from_numpy(rng.normal(0, 1, ACTIONS)).log_softmax(-1) for _ in range(2))
    zero, estimates = torch.zeros(1, 1), []
    for number in range(ACTIONS):
        action = torch.tensor([[number]])
        samples = HeadSamples(action, acting[action], zero, zero)
        estimates.append(clipped_losses(now[None, None], zero, samples, CLIP).kl.item())
    assert min(estimates) >= 0
    mean = sum(p * kl for p, kl in zip(acting.exp().tolist(), estimates, strict=True))
    assert mean == pytest.approx((acting.exp() * (acting - now)).sum().item())
