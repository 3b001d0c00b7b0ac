"""One V-trace update on a batch."""

from __future__ import annotations

from ssd_learner.reporting.report import Report, make_report
from ssd_learner.segments.batch import Batch
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.losses import batch_losses


def vtrace_update(trainer: Trainer, batch: Batch) -> Report:
    """Update the weights once, by the loss of a whole batch."""
    scheduled = trainer.scheduled_values()
    losses = batch_losses(trainer, batch, scheduled)
    norms = trainer.update(losses.total, scheduled)
    trainer.own_steps += batch.own_steps
    scalars = norms | losses.scalars()
    scalars |= {"influence": batch.influence.mean(), "reward": batch.reward.mean()}
    return make_report(scalars, scheduled)
