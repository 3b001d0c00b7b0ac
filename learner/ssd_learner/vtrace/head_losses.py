"""Actor-critic losses of one head, which is a policy with its value: the actions' or symbols'."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd_learner.entropy import entropy
from ssd_learner.reporting.policy_information import policy_information
from ssd_learner.reporting.report import Scalars, explained_variance
from ssd_learner.settings import LearningSettings
from ssd_learner.targets.rewards import bootstrap_truncated
from ssd_learner.targets.vtrace import vtrace


@dataclass(frozen=True, eq=False)
class HeadOutputs:
    """What the network says now about one head, over T steps of B games.

    Attributes:
        log_policy: [T, B, X] log-probabilities of the head's X actions or symbols.
        log_prob: [T, B] of the one that the agent chose.
        values: [T+1, B].
    """

    log_policy: Tensor
    log_prob: Tensor
    values: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor, values: Tensor, action: Tensor) -> HeadOutputs:
        """From logits [T+1, B, X], values [T+1, B], and what the agent chose, [T, B] long."""
        log_policy = logits[:-1].log_softmax(-1)
        log_prob = log_policy.gather(-1, action.unsqueeze(-1)).squeeze(-1)
        return cls(log_policy, log_prob, values)


@dataclass(frozen=True, eq=False)
class HeadLosses:
    """Means over a batch, scalar tensors.

    Attributes:
        policy: −log π · advantage.
        value: ½ (v − V)².
        entropy: of the policy, in nats.
        kl: KL(μ‖π) in nats, estimated from the agent's choices as ρ − 1 − log ρ.
        explained_variance: share of the variance of V-trace's targets that the values explain.
        policy_information: mutual information of observation and choice, in nats.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    explained_variance: Tensor
    policy_information: Tensor

    def scalars(self) -> Scalars:
        """Its terms, for the report."""
        return {
            "policy_loss": self.policy.detach(),
            "value_loss": self.value.detach(),
            "entropy": self.entropy.detach(),
            "kl": self.kl,
            "explained_variance": self.explained_variance,
            "policy_information": self.policy_information,
        }

    def total(self, value_coefficient: float, entropy_weight: float) -> Tensor:
        """The loss that the head minimises."""
        return self.policy + value_coefficient * self.value - entropy_weight * self.entropy


def head_losses(
    head: HeadOutputs,
    reward_t: Tensor,
    log_ratio_t: Tensor,
    ended_t: Tensor,
    learning: LearningSettings,
) -> HeadLosses:
    """Advantage actor-critic with V-trace's targets.

    Args:
        head: Whose losses.
        reward_t: [T, B] rewards of this head.
        log_ratio_t: [T, B] log π(a_t) − log μ(a_t), summed over all heads of the agent.
        ended_t: [T, B] bool, whether the episode ended with a_t.
        learning: How the agent learns.
    """
    value_t = head.values.detach()
    estimates = vtrace(
        log_ratio_t=log_ratio_t,
        reward_t=bootstrap_truncated(reward_t, ended_t, value_t, learning),
        discount_t=learning.gamma * ~ended_t,
        value_t=value_t,
        rho_clip=learning.rho_clip,
        c_clip=learning.c_clip,
    )
    error_t = estimates.target - value_t[:-1]
    return HeadLosses(
        policy=-(head.log_prob * estimates.advantage).mean(),
        value=0.5 * (estimates.target - head.values[:-1]).square().mean(),
        entropy=entropy(head.log_policy).mean(),
        kl=(log_ratio_t.exp() - 1 - log_ratio_t).mean(),
        explained_variance=explained_variance(error_t, estimates.target),
        policy_information=policy_information(head.log_policy.detach()),
    )
