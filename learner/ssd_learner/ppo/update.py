"""Proximal policy optimisation: several passes of minibatch updates over each batch.

A batch holds `horizon` steps of each game, concatenated from its segments. `make_chunks` evaluates
the network on it once, before training. Then the chunks of all games and phases are shuffled into
minibatches, in a new order for each pass.

Schulman et al., *Proximal Policy Optimization Algorithms* (2017).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ssd_learner.ppo.chunks import Chunks
from ssd_learner.ppo.losses import minibatch_loss
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.reporting.report import Report, Scalars, make_report, mean_scalars
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import Batch
from ssd_learner.settings import LearningSettings
from ssd_learner.trainer import Trainer


def train_ppo(
    trainer: Trainer, batches: Sequence[Batch], chunk: int, poll: Callable[[], bool]
) -> Report:
    """Train on the streams of one batch, pass after pass.

    Args:
        trainer: The agent.
        batches: Streams of segments, [L, B] each.
        chunk: C, which divides every L.
        poll: Called after each update. After it returns false, the current pass is the last.
    """
    scheduled, learning = trainer.scheduled_values(), trainer.learning
    chunks, before_training = make_chunks(trainer, batches, scheduled, chunk)
    passes: list[Scalars] = []
    proceed = True
    while proceed and len(passes) < learning.passes:
        with_moa = len(passes) < learning.moa_passes
        scalars, proceed = _one_pass(trainer, chunks, scheduled, with_moa, poll)
        passes.append(scalars)
        proceed = proceed and not _exceeds_kl_limit(scalars, learning)
    trainer.own_steps += sum(batch.own_steps for batch in batches)
    last = {name: passes[-1][name] for name in ("kl", "clipped_share")}
    return make_report(mean_scalars(passes) | last | before_training, scheduled, len(passes))


def _one_pass(
    trainer: Trainer,
    chunks: Chunks,
    scheduled: ScheduledValues,
    with_moa: bool,
    poll: Callable[[], bool],
) -> tuple[Scalars, bool]:
    """One update per minibatch: their mean scalars, and whether every `poll` returned true."""
    updates, proceed = [], True
    for minibatch in chunks.shuffled_minibatches(_minibatches(chunks, trainer.learning)):
        loss, scalars = minibatch_loss(trainer, minibatch, scheduled, with_moa=with_moa)
        norms = trainer.update(loss, scheduled, with_moa=with_moa)
        updates.append(scalars | norms)
        proceed = poll() and proceed
    return mean_scalars(updates), proceed


def _minibatches(chunks: Chunks, learning: LearningSettings) -> int:
    """How many minibatches a pass has: each of about `minibatch` own-steps."""
    wanted = round(chunks.count * chunks.length / learning.minibatch)
    return min(max(1, wanted), chunks.count)


def _exceeds_kl_limit(scalars: Scalars, learning: LearningSettings) -> bool:
    """Whether KL(μ‖π) of a pass, of all heads, is above its limit. Waits for the device."""
    return math.isfinite(learning.kl_limit) and scalars["kl"].item() > learning.kl_limit
