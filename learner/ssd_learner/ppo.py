"""Proximal policy optimisation: several passes over each batch, none of which strays far.

A batch is what has arrived: of each game `horizon` steps, joined from its segments. `prepare` looks
at it once with the weights as they are. Then chunks of all games and phases are shuffled into
minibatches, pass after pass.

Schulman et al., *Proximal Policy Optimization Algorithms* (2017). The policy and the communication
head each have a ratio, an advantage and a clip of their own: what an agent does and what it says
are paid differently (§5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ssd_influence.moa_loss import moa_loss
from ssd_learner.batch import Batch
from ssd_learner.chunks import Chunks
from ssd_learner.ppo_losses import clipped_losses
from ssd_learner.preparation import prepare
from ssd_learner.report import Numbers, Report, means, read
from ssd_learner.trainer import Trainer, Weights


def learn(trainer: Trainer, batches: Sequence[Batch], chunk: int) -> Report:
    """Train on a batch, pass after pass.

    Args:
        trainer: The agent.
        batches: Streams of segments, [L, B] each.
        chunk: C, which divides every L.
    """
    weights, learning = trainer.weights(), trainer.learning
    chunks, before = prepare(trainer, batches, weights, chunk)
    passes: list[Numbers] = []
    while len(passes) < learning.passes:
        passes.append(_one_pass(trainer, chunks, weights, moa=len(passes) < learning.moa_passes))
        if math.isfinite(learning.kl_limit) and passes[-1]["kl"].item() > learning.kl_limit:
            break
    trainer.own_steps += sum(batch.steps for batch in batches)
    last = {name: passes[-1][name] for name in ("kl", "clipped_share")}
    numbers = read(means(passes) | last | before)
    if numbers.pop("moa_targets", 0) == 0:  # nobody was in view: there is nothing to tell
        numbers.pop("moa_loss", None), numbers.pop("moa_marginal_entropy", None)
    return Report(
        **numbers,
        learning_rate=weights.learning_rate,
        beta=weights.beta,
        entropy_weight=weights.entropy,
        passes=len(passes),
    )


def _one_pass(trainer: Trainer, chunks: Chunks, weights: Weights, moa: bool) -> Numbers:
    minibatches = round(chunks.count * chunks.steps / trainer.learning.minibatch)
    updates = []
    for part in chunks.shuffled(min(max(1, minibatches), chunks.count)):
        loss, numbers = losses(trainer, part, weights, moa)
        updates.append(numbers | trainer.update(loss, weights))
    return means(updates)


def losses(trainer: Trainer, part: Chunks, weights: Weights, moa: bool) -> tuple[Tensor, Numbers]:
    """What an update minimises, and what there is to tell of it.

    Args:
        trainer: The agent.
        part: A minibatch.
        weights: Of the losses, now.
        moa: Whether the model of others learns too, if there is one.
    """
    learning, experiment = trainer.learning, trainer.experiment
    known = part.pixels, part.first_host, part.actions, part.state, part.symbols
    unroll = trainer.network.unroll(*known, predictions=part.steps if moa else 0)
    acting = clipped_losses(unroll.policy_logits, unroll.values, part.acting, learning.ratio_clip)
    total = acting.total(learning.value_coefficient, weights.entropy)
    numbers = acting.numbers()
    if part.speaking is not None:
        speaking = clipped_losses(
            unroll.symbol_logits, unroll.symbol_values, part.speaking, learning.ratio_clip
        )
        spoken = speaking.total(learning.value_coefficient, learning.communication_entropy)
        total = total + experiment.communication_weight * spoken
        told = speaking.numbers()
        numbers |= {f"symbol_{n}": told[n] for n in ("policy_loss", "value_loss", "entropy")}
    if unroll.moa_logits is not None:
        cross_entropy = moa_loss(unroll.moa_logits, part.moa_targets, part.moa_mask)
        total = total + experiment.moa_weight * cross_entropy
    return total, numbers
