"""PPO's losses of one head against loops, and where exactly its clip lets no gradient through."""

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.ppo.chunks import HeadSamples
from ssd_learner.ppo.head_losses import clipped_losses

CLIP, CHOICES = 0.2, 7
LOSSES = ("policy", "value", "entropy", "kl", "clipped_share")
RATIOS = [0.3, 0.79, 0.81, 1.0, 1.19, 1.21, 4.0]


@pytest.fixture
def drawn():
    """Logits and values in float64 of every ratio with both signs of advantage, and none."""
    rng = np.random.default_rng(4)
    ratio, advantage = np.meshgrid(RATIOS, [-1.7, -0.2, 0.0, 0.4, 2.5], indexing="ij")
    logits = torch.from_numpy(rng.normal(0, 1, (*ratio.shape, CHOICES))).requires_grad_()
    values = torch.from_numpy(rng.normal(0, 1, ratio.shape)).requires_grad_()
    chosen = torch.from_numpy(rng.integers(0, CHOICES, ratio.shape))
    log_prob = logits.detach().log_softmax(-1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    return (
        logits,
        values,
        HeadSamples(
            chosen=chosen,
            log_prob=log_prob - torch.from_numpy(np.log(ratio)),
            advantage=torch.from_numpy(advantage),
            target=torch.from_numpy(rng.normal(0, 1, ratio.shape)),
        ),
    )


@pytest.mark.parametrize("ratio_clip", [CLIP, 0.05, 0.9, 10.0])
def test_each_loss_is_its_definition(drawn, ratio_clip):
    wanted = literal.head_losses(*drawn, ratio_clip)
    found = clipped_losses(*drawn, ratio_clip).numbers()
    assert {name: loss.item() for name, loss in found.items()} == pytest.approx(wanted, rel=1e-6)


def test_the_total_is_the_policy_s_loss_and_the_weighted_value_loss_less_the_weighted_entropy(
    drawn,
):
    losses = clipped_losses(*drawn, CLIP)
    wanted = losses.policy + 0.4 * losses.value - 0.03 * losses.entropy
    assert losses.total(0.4, 0.03).item() == pytest.approx(wanted.item())


def test_nothing_but_policy_and_value_losses_and_entropy_has_a_gradient(drawn):
    losses = clipped_losses(*drawn, CLIP)
    assert [name for name in LOSSES if not getattr(losses, name).requires_grad] == [
        "kl",
        "clipped_share",
    ]
    assert not any(of.requires_grad for of in losses.numbers().values())


def test_a_choice_has_no_gradient_where_its_ratio_has_gone_far_enough_for_its_advantage(drawn):
    logits, values, choices = drawn
    clipped_losses(*drawn, CLIP).policy.backward()
    for place, advantage in np.ndenumerate(choices.advantage.numpy()):
        ratio = RATIOS[place[0]]
        enough = ratio > 1 + CLIP if advantage > 0 else ratio < 1 - CLIP
        slope = 0.0 if enough or advantage == 0 else -advantage * ratio / values.numel()
        policy = logits[place].detach().softmax(-1)
        toward = torch.eye(CHOICES)[choices.chosen[place]] - policy
        assert logits.grad[place].tolist() == pytest.approx((slope * toward).tolist(), abs=1e-12)
        assert logits.grad[place].any() == bool(slope)


def test_the_policy_s_loss_does_not_touch_values_nor_the_value_loss_the_policy(drawn):
    logits, values, _ = drawn
    losses = clipped_losses(*drawn, CLIP)
    losses.policy.backward(retain_graph=True)
    assert values.grad is None
    logits.grad = None
    losses.value.backward()
    assert logits.grad is None
    wanted = (values - drawn[2].target).detach() / values.numel()
    torch.testing.assert_close(values.grad, wanted)


def test_on_policy_nothing_is_clipped_and_kl_is_zero(drawn):
    logits, values, choices = drawn
    now = logits.detach().log_softmax(-1).gather(-1, choices.chosen.unsqueeze(-1)).squeeze(-1)
    losses = clipped_losses(logits, values, choices._replace(log_prob=now), CLIP)
    assert losses.kl.item() == pytest.approx(0, abs=1e-12)
    assert losses.clipped_share == 0
    assert losses.policy.item() == pytest.approx(-choices.advantage.mean().item())


def test_the_estimate_of_kl_is_never_negative_and_right_on_average():
    rng = np.random.default_rng(6)
    acted, now = (torch.from_numpy(rng.normal(0, 1, CHOICES)).log_softmax(-1) for _ in range(2))
    every = torch.arange(CHOICES).unsqueeze(0)
    kls = []
    for choice in range(CHOICES):
        some = every[:, choice : choice + 1]
        nothing = torch.zeros(1, 1)
        choices = HeadSamples(some, acted[some], nothing, nothing)
        kls.append(clipped_losses(now[None, None], nothing, choices, CLIP).kl.item())
    assert min(kls) >= 0
    wanted = (acted.exp() * (acted - now)).sum().item()
    assert sum(p * kl for p, kl in zip(acted.exp().tolist(), kls, strict=True)) == pytest.approx(
        wanted
    )
