"""The loss of a PPO minibatch: of the policy, the communication head and the model of others."""

from __future__ import annotations

from torch import Tensor

from ssd_influence.networks.moa_loss import moa_loss
from ssd_learner.ppo.chunks import Chunks
from ssd_learner.ppo.head_losses import clipped_losses
from ssd_learner.reporting.report import SYMBOL_TERMS, Scalars
from ssd_learner.schedule import ScheduledValues
from ssd_learner.trainer import Trainer


def minibatch_loss(
    trainer: Trainer, minibatch: Chunks, scheduled: ScheduledValues, *, with_moa: bool
) -> tuple[Tensor, Scalars]:
    """The loss that an update minimises, and its terms for the report.

    The policy and the communication head each have their own ratio, advantage and clip, because
    they are rewarded differently (§5). The KL is that of both together: the sum of theirs, because
    action and symbol are sampled independently. The MOA's loss is not weighted: `moa_weight` scales
    its gradient where it enters the convolution.

    Args:
        trainer: The agent.
        minibatch: To learn from.
        scheduled: Coefficients of the losses.
        with_moa: Whether the model of others learns too, if there is one.
    """
    learning, experiment = trainer.learning, trainer.experiment
    unroll = trainer.network.unroll(
        minibatch.pixels,
        minibatch.is_first,
        minibatch.actions,
        minibatch.state,
        minibatch.symbols,
        predictions=minibatch.length if with_moa else 0,
        is_first_host=minibatch.is_first_host,
    )
    action = clipped_losses(
        unroll.policy_logits, unroll.values, minibatch.action_head, learning.ratio_clip
    )
    total = action.total(learning.value_coefficient, scheduled.entropy_weight)
    scalars = action.scalars()
    logits, values = unroll.symbol_logits, unroll.symbol_values
    if minibatch.symbol_head is not None and logits is not None and values is not None:
        symbol = clipped_losses(logits, values, minibatch.symbol_head, learning.ratio_clip)
        symbol_total = symbol.total(learning.value_coefficient, learning.communication_entropy)
        total = total + experiment.communication_weight * symbol_total
        terms = symbol.scalars()
        scalars |= {f"symbol_{name}": terms[name] for name in SYMBOL_TERMS}
        scalars["kl"] = action.kl + symbol.kl
    if unroll.moa_logits is not None and minibatch.moa_targets is not None:
        total = total + moa_loss(unroll.moa_logits, *minibatch.moa_targets)
    return total, scalars
