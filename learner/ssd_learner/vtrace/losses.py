"""The actor-critic with V-trace's targets: its losses, and one update by them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd_influence.networks.agent_network import AgentNetwork, Unroll
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)
from ssd_influence.settings import ExperimentSettings
from ssd_learner.reporting.report import Numbers, Report, Weights, make_report
from ssd_learner.segments.batch import Batch
from ssd_learner.settings import LearningSettings
from ssd_learner.targets.rewards import rewards
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.head_losses import Head, HeadLosses, head_losses


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
        moa_targets: how many (t, j) these are.
    """

    total: Tensor
    acting: HeadLosses
    speaking: HeadLosses | None
    moa: Tensor
    moa_marginal: Tensor
    moa_targets: Tensor

    def numbers(self) -> Numbers:
        """What there is to tell."""
        told = self.acting.numbers() | {
            "moa_loss": self.moa.detach(),
            "moa_marginal_entropy": self.moa_marginal,
            "moa_targets": self.moa_targets,
        }
        if self.speaking is not None:
            spoken = self.speaking.numbers()
            told |= {f"symbol_{n}": spoken[n] for n in ("policy_loss", "value_loss", "entropy")}
        return told


def vtrace_update(trainer: Trainer, batch: Batch) -> Report:
    """One update by a whole batch, and what it looked like."""
    weights = trainer.weights()
    settings = trainer.experiment, trainer.learning
    loss = losses(trainer.network, batch, trainer.shape, *settings, weights)
    norms = trainer.update(loss.total, weights)
    trainer.own_steps += batch.steps
    numbers = norms | loss.numbers()
    numbers |= {"influence": batch.influence.mean(), "reward": batch.reward.mean()}
    return make_report(numbers, weights)


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
        batch.pixels, batch.is_first_host, batch.actions, batch.state, batch.symbols
    )
    acts = Head.of(unroll.policy_logits, unroll.values, batch.actions[1:-1, :, shape.agent])
    says = _speaking(unroll, batch, shape)
    to_act, to_speak = rewards(batch, experiment, learning, weights.beta)
    log_ratio, ended = _log_ratio(acts, says, batch), batch.is_first[1:]

    acting = head_losses(acts, to_act, log_ratio, ended, learning)
    speaking = None
    if says is not None:
        speaking = head_losses(says, to_speak, log_ratio, ended, learning)
    moa, moa_marginal, moa_targets = _moa_losses(unroll, batch, shape, experiment)
    per_step = acting.total(learning.value_coefficient, weights.entropy)
    if speaking is not None:
        spoken = speaking.total(learning.value_coefficient, learning.communication_entropy)
        per_step = per_step + experiment.communication_weight * spoken
    total = batch.steps * per_step + experiment.moa_weight * moa
    return Losses(total, acting, speaking, moa, moa_marginal, moa_targets)


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
) -> tuple[Tensor, Tensor, Tensor]:
    if unroll.moa_logits is None:
        zero = torch.zeros((), device=unroll.values.device)
        return zero, zero, zero
    targets = moa_targets(batch.actions, shape.others)
    mask = moa_targets_mask(
        batch.is_first, batch.visible, shape.others, experiment.moa_only_when_visible
    )
    marginal = action_marginal_entropy(targets, mask, shape.num_actions)
    return moa_loss(unroll.moa_logits, targets, mask), marginal, mask.sum()
