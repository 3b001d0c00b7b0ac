"""PPO's losses of one head, which is a policy with its value: the actions' or the symbols'."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd_learner.entropy import entropy
from ssd_learner.ppo.chunks import HeadSamples
from ssd_learner.reporting.report import Scalars
from ssd_learner.targets.log_ratio import log_ratio


@dataclass(frozen=True, eq=False)
class ClippedLosses:
    """Means over a minibatch, scalar tensors.

    Attributes:
        policy: −min(ρ Â, clip(ρ) Â), with ρ = π/μ.
        value: ½ (v − target)², both in the scale of the value head's output.
        entropy: of the policy, in nats.
        kl: KL(μ‖π) in nats, estimated from the sampled actions as ρ − 1 − log ρ, which is never
            negative.
        clipped_share: share of samples whose ratio is outside the clip.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    clipped_share: Tensor

    def total(self, value_coefficient: float, entropy_weight: float) -> Tensor:
        """The loss that the head minimises."""
        return self.policy + value_coefficient * self.value - entropy_weight * self.entropy

    def scalars(self) -> Scalars:
        """Its terms, for the report."""
        return {
            "policy_loss": self.policy.detach(),
            "value_loss": self.value.detach(),
            "entropy": self.entropy.detach(),
            "kl": self.kl,
            "clipped_share": self.clipped_share,
        }


def clipped_losses(
    logits: Tensor, values: Tensor, samples: HeadSamples, ratio_clip: float
) -> ClippedLosses:
    """The losses of one head on a minibatch.

    Args:
        logits: [C, M, X] over the head's X actions or symbols.
        values: [C, M] outputs of the value head.
        samples: What the head did, with advantages and targets.
        ratio_clip: ε: a ratio is clipped to 1 ± ε.
    """
    log_policy = logits.log_softmax(-1)
    log_prob = log_policy.gather(-1, samples.action.unsqueeze(-1)).squeeze(-1)
    log_ratio_t = log_ratio(log_prob, samples.log_prob)
    ratio = log_ratio_t.exp()
    clipped = ratio.clamp(1 - ratio_clip, 1 + ratio_clip)
    surrogate = (ratio * samples.advantage).minimum(clipped * samples.advantage)
    ratio, log_ratio_t = ratio.detach(), log_ratio_t.detach()
    return ClippedLosses(
        policy=-surrogate.mean(),
        value=0.5 * (values - samples.target).square().mean(),
        entropy=entropy(log_policy).mean(),
        kl=(ratio - 1 - log_ratio_t).mean(),
        clipped_share=((ratio - 1).abs() > ratio_clip).float().mean(),
    )
