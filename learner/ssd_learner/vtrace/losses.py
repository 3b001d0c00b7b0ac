"""The loss of a V-trace batch: of the policy, the communication head and the model of others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd_influence.networks.agent_network import Unroll
from ssd_influence.networks.moa_loss import (
    action_marginal_entropy,
    moa_loss,
    moa_targets,
    moa_targets_mask,
)
from ssd_learner.reporting.report import SYMBOL_TERMS, Scalars
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.log_ratio import log_ratio
from ssd_learner.targets.rewards import head_rewards
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.head_losses import HeadLosses, HeadOutputs, head_losses


@dataclass(frozen=True, eq=False)
class Losses:
    """Scalar tensors on the device. All but `total` are means over the batch, for the report.

    Attributes:
        total: what is minimised. As in A3C the actor-critic's losses are sums over all steps, so
            that the gradient clip is active in nearly every update. A rare reward a hundred times
            the usual one then moves the weights no further than any other. The MOA's loss is a
            mean (§10.4), and its gradient is weighted where it enters the convolution.
        action: of the policy and its value.
        symbol: of the communication head; None without communication.
        moa: cross-entropy of the others' next actions in nats; 0 without a MOA.
        moa_marginal_entropy: of the others' actions over the same (t, j); 0 without a MOA.
        moa_targets: number of these (t, j).
    """

    total: Tensor
    action: HeadLosses
    symbol: HeadLosses | None
    moa: Tensor
    moa_marginal_entropy: Tensor
    moa_targets: Tensor

    def scalars(self) -> Scalars:
        """Its terms, for the report."""
        scalars = self.action.scalars() | {
            "moa_loss": self.moa.detach(),
            "moa_marginal_entropy": self.moa_marginal_entropy,
            "moa_targets": self.moa_targets,
        }
        if self.symbol is not None:
            terms = self.symbol.scalars()
            scalars |= {f"symbol_{name}": terms[name] for name in SYMBOL_TERMS}
        return scalars


def batch_losses(trainer: Trainer, batch: Batch, scheduled: ScheduledValues) -> Losses:
    """All losses of a batch.

    Args:
        trainer: The agent.
        batch: On the network's device.
        scheduled: Coefficients of the losses.
    """
    experiment, learning = trainer.experiment, trainer.learning
    unroll = trainer.network.unroll(
        batch.pixels,
        batch.is_first,
        batch.actions,
        batch.state,
        batch.symbols,
        is_first_host=batch.is_first_host,
    )
    actions = batch.actions[1:-1, :, trainer.shape.agent]
    action_head = HeadOutputs.from_logits(unroll.policy_logits, unroll.values, actions)
    symbol_head = _symbol_head(unroll, batch, trainer.shape.agent)
    rewards = head_rewards(batch, experiment, learning, scheduled.beta)
    log_ratio_t, ended_t = _log_ratio(action_head, symbol_head, batch), batch.is_first[1:]

    action = head_losses(action_head, rewards.action, log_ratio_t, ended_t, learning)
    per_step = action.total(learning.value_coefficient, scheduled.entropy_weight)
    symbol = None
    if symbol_head is not None:
        symbol = head_losses(symbol_head, rewards.symbol, log_ratio_t, ended_t, learning)
        symbol_total = symbol.total(learning.value_coefficient, learning.communication_entropy)
        per_step = per_step + experiment.communication_weight * symbol_total
    moa, *moa_measures = _moa_losses(trainer, unroll, batch)
    total = batch.own_steps * per_step + moa
    return Losses(total, action, symbol, moa, *moa_measures)


def _symbol_head(unroll: Unroll, batch: Batch, agent: int) -> HeadOutputs | None:
    if unroll.symbol_logits is None or unroll.symbol_values is None or batch.symbols is None:
        return None
    own_symbols = batch.symbols[1:, :, agent]
    return HeadOutputs.from_logits(unroll.symbol_logits, unroll.symbol_values, own_symbols)


def _log_ratio(action: HeadOutputs, symbol: HeadOutputs | None, batch: Batch) -> Tensor:
    """[T, B] of action and symbol together, because what follows depends on both."""
    acting, behaving = action.log_prob.detach(), batch.log_prob
    if symbol is not None and batch.symbol_log_prob is not None:
        acting = acting + symbol.log_prob.detach()
        behaving = behaving + batch.symbol_log_prob
    return log_ratio(acting, behaving)


def _moa_losses(trainer: Trainer, unroll: Unroll, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """The MOA's loss, the entropy of the action marginals, and the number of targets."""
    if unroll.moa_logits is None:
        zero = torch.zeros((), device=unroll.values.device)
        return zero, zero, zero
    others, only_visible = trainer.shape.others, trainer.experiment.moa_only_when_visible
    targets = moa_targets(batch.actions, others)
    mask = moa_targets_mask(batch.is_first, batch.visible, others, only_visible)
    entropy = action_marginal_entropy(targets, mask, trainer.shape.num_actions)
    return moa_loss(unroll.moa_logits, targets, mask), entropy, mask.sum()
