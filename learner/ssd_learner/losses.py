"""What an update minimises: the actor-critic's losses, and the model of others' beside them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd_influence.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)
from ssd_influence.network import AgentNetwork, AgentShape, Unroll
from ssd_influence.settings import ExperimentSettings
from ssd_learner.batch import Batch
from ssd_learner.settings import LearningSettings
from ssd_learner.vtrace import vtrace


@dataclass(frozen=True, eq=False)
class Losses:
    """Scalar tensors on the device, means over a batch; only `total` has a use for its gradient.

    Attributes:
        total: what is minimised. As in A3C the actor-critic's losses are sums over all steps, so
            that the clip of the gradient's norm is at work in nearly every update: a rare reward
            a hundred times the usual one then moves the weights no further than any other. The
            MOA's loss is a mean (§10.4), weighted.
        policy: −Σ log π · advantage, before weighing.
        value: ½ (v − V)², before weighing.
        entropy: of the policy, in nats.
        moa: cross-entropy of the others' next actions in nats, unweighted; 0 without a MOA.
        moa_marginal: entropy of the others' action marginals over the same (t, j); 0 without.
    """

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    moa: Tensor
    moa_marginal: Tensor


@dataclass(frozen=True)
class Weights:
    """What changes as the agent grows older.

    Attributes:
        beta: of the influence reward.
        entropy: of the policy's entropy.
    """

    beta: float
    entropy: float


def losses(
    network: AgentNetwork,
    batch: Batch,
    shape: AgentShape,
    experiment: ExperimentSettings,
    learning: LearningSettings,
    weights: Weights,
) -> Losses:
    """All losses of a batch, with the reward r_t = α·e_t + β·c_t of §4.

    Args:
        network: The agent's, with the weights to improve.
        batch: On the network's device.
        shape: Who the agent is.
        experiment: What the agent is rewarded for and what its MOA learns from.
        learning: How it learns.
        weights: Of what the agent's clock changes, now.
    """
    unroll = network.unroll(batch.pixels, batch.first_host, batch.actions, batch.state)
    log_policy = unroll.policy_logits[:-1].log_softmax(-1)  # [T, B, A]
    own_action = batch.actions[1:-1, :, shape.agent, None]  # [T, B, 1]
    log_prob = log_policy.gather(-1, own_action).squeeze(-1)  # [T, B]

    targets = vtrace(
        log_ratio_t=log_prob.detach() - batch.log_prob,
        reward_t=experiment.alpha * batch.reward + weights.beta * batch.influence,
        discount_t=learning.gamma * ~batch.first[1:],
        value_t=unroll.values.detach(),
        rho_clip=learning.rho_clip,
        c_clip=learning.c_clip,
    )
    policy = -(log_prob * targets.advantage).mean()
    value = 0.5 * (targets.value - unroll.values[:-1]).square().mean()
    entropy = -(log_policy.exp() * log_policy).sum(-1).mean()
    moa, moa_marginal = _moa_losses(unroll, batch, shape, experiment)
    actor_critic = policy + learning.value_coefficient * value - weights.entropy * entropy
    total = batch.steps * actor_critic + experiment.moa_weight * moa
    return Losses(total, policy, value, entropy, moa, moa_marginal)


def _moa_losses(
    unroll: Unroll, batch: Batch, shape: AgentShape, experiment: ExperimentSettings
) -> tuple[Tensor, Tensor]:
    if unroll.moa_logits is None:
        zero = torch.zeros((), device=unroll.values.device)
        return zero, zero
    targets = moa_targets(batch.actions, shape.others)
    mask = moa_targets_mask(
        batch.first, batch.visible, shape.others, experiment.moa_only_when_visible
    )
    marginal = action_marginal_entropy(targets, mask, shape.num_actions)
    return moa_loss(unroll.moa_logits, targets, mask), marginal
