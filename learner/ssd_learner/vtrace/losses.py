"""The loss of a V-trace batch: of the policy, the communication head and the model of others."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd_influence.networks.agent_network import Unroll
from ssd_learner.reporting.report import SYMBOL_TERMS, Scalars
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.log_ratio import joint_log_ratio
from ssd_learner.targets.moa import MoaLosses, MoaTargets
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
        moa: of the model of others; None without one.
    """

    total: Tensor
    action: HeadLosses
    symbol: HeadLosses | None
    moa: MoaLosses | None

    def scalars(self) -> Scalars:
        """Its terms, for the report."""
        scalars = self.action.scalars()
        if self.moa is not None:
            scalars |= self.moa.scalars()
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
    rewards = head_rewards(batch, experiment, scheduled.beta)
    symbol_log_prob = None if symbol_head is None else symbol_head.log_prob
    log_ratio_t = joint_log_ratio(batch, action_head.log_prob, symbol_log_prob).detach()
    ended_t = batch.is_first[1:]

    action = head_losses(action_head, rewards.action, log_ratio_t, ended_t, learning)
    per_step = action.total(learning.value_coefficient, scheduled.entropy_weight)
    symbol, moa = None, _moa_losses(trainer, unroll, batch)
    if symbol_head is not None:
        symbol = head_losses(symbol_head, rewards.symbol, log_ratio_t, ended_t, learning)
        symbol_total = symbol.total(learning.value_coefficient, learning.communication_entropy)
        per_step = per_step + experiment.communication_weight * symbol_total
    total = batch.own_steps * per_step
    if moa is not None:
        total = total + moa.loss
    return Losses(total, action, symbol, moa)


def _symbol_head(unroll: Unroll, batch: Batch, agent: int) -> HeadOutputs | None:
    if unroll.symbol_logits is None or unroll.symbol_values is None or batch.symbols is None:
        return None
    own_symbols = batch.symbols[1:, :, agent]
    return HeadOutputs.from_logits(unroll.symbol_logits, unroll.symbol_values, own_symbols)


def _moa_losses(trainer: Trainer, unroll: Unroll, batch: Batch) -> MoaLosses | None:
    if unroll.moa_logits is None:
        return None
    targets = MoaTargets.of(batch, trainer.shape, trainer.experiment)
    return MoaLosses.of(unroll.moa_logits, targets)
