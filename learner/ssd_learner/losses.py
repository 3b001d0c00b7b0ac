"""What an update minimises: the losses of acting and speaking, and of the model of others."""

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
from ssd_learner.actor_critic import Head, HeadLosses, head_losses
from ssd_learner.batch import Batch
from ssd_learner.settings import LearningSettings


@dataclass(frozen=True, eq=False)
class Losses:
    """Scalar tensors on the device, means over a batch; only `total` has a use for its gradient.

    Attributes:
        total: what is minimised. As in A3C the actor-critic's losses are sums over all steps, so
            that the clip of the gradient's norm is at work in nearly every update: a rare reward
            a hundred times the usual one then moves the weights no further than any other. The
            MOA's loss is a mean (§10.4), weighted.
        acting: of the policy and its value.
        speaking: of the communication head; None where nobody speaks.
        moa: cross-entropy of the others' next actions in nats, unweighted; 0 without a MOA.
        moa_marginal: entropy of the others' action marginals over the same (t, j); 0 without.
    """

    total: Tensor
    acting: HeadLosses
    speaking: HeadLosses | None
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
    """All losses of a batch.

    Args:
        network: The agent's, with the weights to improve.
        batch: On the network's device.
        shape: Who the agent is.
        experiment: What the agent is rewarded for and what its MOA learns from.
        learning: How it learns.
        weights: Of what the agent's clock changes, now.
    """
    unroll = network.unroll(
        batch.pixels, batch.first_host, batch.actions, batch.state, batch.symbols
    )
    acts = Head.of(unroll.policy_logits, unroll.values, batch.actions[1:-1, :, shape.agent])
    says = _speaking(unroll, batch, shape)
    to_act, to_speak = rewards(batch, experiment, weights.beta)
    log_ratio = _log_ratio(acts, says, batch)
    discount = learning.gamma * ~batch.first[1:]

    acting = head_losses(acts, to_act, log_ratio, discount, learning)
    speaking = None
    if says is not None:
        speaking = head_losses(says, to_speak, log_ratio, discount, learning)
    moa, moa_marginal = _moa_losses(unroll, batch, shape, experiment)
    per_step = acting.total(learning.value_coefficient, weights.entropy)
    if speaking is not None:
        spoken = speaking.total(learning.value_coefficient, learning.communication_entropy)
        per_step = per_step + experiment.communication_weight * spoken
    total = batch.steps * per_step + experiment.moa_weight * moa
    return Losses(total, acting, speaking, moa, moa_marginal)


def rewards(batch: Batch, experiment: ExperimentSettings, beta: float) -> tuple[Tensor, Tensor]:
    """What acting is paid, and what speaking is: r = α·e + β·c of §4 for the one that influences.

    Where influence is of symbols, that is the communication head, and acting is paid e (§5). Else
    it is the policy, and speaking is paid e. In the place of e stands what a reward scheme made of
    everyone's.

    Returns:
        [T, B] twice.
    """
    e = batch.reward if batch.shaped is None else batch.shaped
    influencing = experiment.alpha * e + beta * batch.influence
    return (e, influencing) if experiment.influence_of_symbols else (influencing, e)


def _speaking(unroll: Unroll, batch: Batch, shape: AgentShape) -> Head | None:
    if unroll.symbol_logits is None or unroll.symbol_values is None or batch.symbols is None:
        return None
    said = batch.symbols[1:, :, shape.agent]
    return Head.of(unroll.symbol_logits, unroll.symbol_values, said)


def _log_ratio(acts: Head, says: Head | None, batch: Batch) -> Tensor:
    """[T, B] of all that the agent chose: what follows depends on what it did and what it said."""
    ratio = acts.log_prob.detach() - batch.log_prob
    if says is None or batch.symbol_log_prob is None:
        return ratio
    return ratio + says.log_prob.detach() - batch.symbol_log_prob


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
