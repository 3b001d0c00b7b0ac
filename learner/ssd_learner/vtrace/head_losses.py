"""The losses of one head, a policy with its value: the one that acts, and the one that speaks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd_learner.reporting.policy_information import policy_information
from ssd_learner.reporting.report import Numbers, explained_variance
from ssd_learner.settings import LearningSettings
from ssd_learner.targets.rewards import at_the_horizon
from ssd_learner.targets.vtrace import vtrace


@dataclass(frozen=True, eq=False)
class Head:
    """What a head did over T steps of B games, and what the network says of it now.

    Attributes:
        log_policy: [T, B, X] log-probabilities of all X that it could have chosen.
        log_prob: [T, B] of what it did choose.
        values: [T+1, B].
    """

    log_policy: Tensor
    log_prob: Tensor
    values: Tensor

    @classmethod
    def of(cls, logits: Tensor, values: Tensor, chosen: Tensor) -> Head:
        """From logits [T+1, B, X], values [T+1, B], and what was chosen, [T, B] long."""
        log_policy = logits[:-1].log_softmax(-1)
        log_prob = log_policy.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
        return cls(log_policy, log_prob, values)


@dataclass(frozen=True, eq=False)
class HeadLosses:
    """Means over a batch, scalar tensors.

    Attributes:
        policy: −log π · advantage.
        value: ½ (v − V)².
        entropy: of the policy, in nats.
        kl: KL(μ‖π) in nats, estimated from what was chosen as ρ − 1 − log ρ.
        explained_variance: of V-trace's targets by the values.
        information: of what was chosen about what was seen, in nats.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    explained_variance: Tensor
    information: Tensor

    def numbers(self) -> Numbers:
        """What there is to tell."""
        return {
            "policy_loss": self.policy.detach(),
            "value_loss": self.value.detach(),
            "entropy": self.entropy.detach(),
            "kl": self.kl,
            "explained_variance": self.explained_variance,
            "information": self.information,
        }

    def total(self, value_coefficient: float, entropy_weight: float) -> Tensor:
        """What the head minimises."""
        return self.policy + value_coefficient * self.value - entropy_weight * self.entropy


def head_losses(
    head: Head,
    reward_t: Tensor,
    log_ratio_t: Tensor,
    ended_t: Tensor,
    learning: LearningSettings,
) -> HeadLosses:
    """Advantage actor-critic with V-trace's targets.

    Args:
        head: Whose losses.
        reward_t: [T, B] what this head is paid.
        log_ratio_t: [T, B] log-probability of all that the agent chose at t, by the policy now
            over the policy it acted from.
        ended_t: [T, B] bool, where the episode ended with step t.
        learning: How the agent learns.
    """
    value_t = head.values.detach()
    targets = vtrace(
        log_ratio_t=log_ratio_t,
        reward_t=at_the_horizon(reward_t, ended_t, value_t, learning),
        discount_t=learning.gamma * ~ended_t,
        value_t=value_t,
        rho_clip=learning.rho_clip,
        c_clip=learning.c_clip,
    )
    return HeadLosses(
        policy=-(head.log_prob * targets.advantage).mean(),
        value=0.5 * (targets.value - head.values[:-1]).square().mean(),
        entropy=-(head.log_policy.exp() * head.log_policy).sum(-1).mean(),
        kl=(log_ratio_t.exp() - 1 - log_ratio_t).mean(),
        explained_variance=explained_variance(targets.value - value_t[:-1], targets.value),
        information=policy_information(head.log_policy.detach()),
    )
