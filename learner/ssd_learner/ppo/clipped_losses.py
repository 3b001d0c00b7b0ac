"""PPO's losses of one head, a policy with its value: the one that acts, and the one that speaks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd_learner.ppo.chunks import Choices
from ssd_learner.reporting.report import Numbers


@dataclass(frozen=True, eq=False)
class ClippedLosses:
    """Means over a minibatch, scalar tensors.

    Attributes:
        policy: −min(ρ Â, clip(ρ) Â), with ρ = π/μ.
        value: ½ (v − target)², both as the value head puts them out.
        entropy: of the policy, in nats.
        kl: KL(μ‖π) in nats, estimated from what was chosen as ρ − 1 − log ρ, which is never
            negative.
        clipped_share: of choices whose ratio is outside the clip.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    clipped_share: Tensor

    def total(self, value_coefficient: float, entropy_weight: float) -> Tensor:
        """What the head minimises."""
        return self.policy + value_coefficient * self.value - entropy_weight * self.entropy

    def numbers(self) -> Numbers:
        """What there is to tell."""
        return {
            "policy_loss": self.policy.detach(),
            "value_loss": self.value.detach(),
            "entropy": self.entropy.detach(),
            "kl": self.kl,
            "clipped_share": self.clipped_share,
        }


def clipped_losses(
    logits: Tensor, values: Tensor, choices: Choices, ratio_clip: float
) -> ClippedLosses:
    """The losses of one head on a minibatch.

    Args:
        logits: [C, M, X] of all X that the head can choose.
        values: [C, M] as the value head puts them out.
        choices: What it chose, and what came of it.
        ratio_clip: ε: a ratio is cut to 1 ± ε.
    """
    log_policy = logits.log_softmax(-1)
    log_prob = log_policy.gather(-1, choices.chosen.unsqueeze(-1)).squeeze(-1)
    log_ratio = log_prob - choices.log_prob
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - ratio_clip, 1 + ratio_clip)
    gain = (ratio * choices.advantage).minimum(clipped * choices.advantage)
    moved, logs = ratio.detach(), log_ratio.detach()
    return ClippedLosses(
        policy=-gain.mean(),
        value=0.5 * (values - choices.target).square().mean(),
        entropy=-(log_policy.exp() * log_policy).sum(-1).mean(),
        kl=(moved - 1 - logs).mean(),
        clipped_share=((moved - 1).abs() > ratio_clip).float().mean(),
    )
