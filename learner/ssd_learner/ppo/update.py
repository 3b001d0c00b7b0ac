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
from collections.abc import Callable, Sequence

from torch import Tensor

from ssd_influence.networks.moa_loss import moa_loss
from ssd_learner.ppo.build_chunks import prepare
from ssd_learner.ppo.chunks import Chunks
from ssd_learner.ppo.clipped_losses import clipped_losses
from ssd_learner.reporting.report import Numbers, Report, Weights, make_report, means
from ssd_learner.segments.batch import Batch
from ssd_learner.settings import LearningSettings
from ssd_learner.trainer import Trainer


def learn(
    trainer: Trainer, batches: Sequence[Batch], chunk: int, tend: Callable[[], bool]
) -> Report:
    """Train on a batch, pass after pass.

    Args:
        trainer: The agent.
        batches: Streams of segments, [L, B] each.
        chunk: C, which divides every L.
        tend: Called after each update; once it says no, the pass under way is the last.
    """
    weights, learning = trainer.weights(), trainer.learning
    chunks, before = prepare(trainer, batches, weights, chunk)
    passes: list[Numbers] = []
    goes_on = True
    while goes_on and len(passes) < learning.passes:
        with_moa = len(passes) < learning.moa_passes
        updates = []
        for part in chunks.shuffled(_minibatches(chunks, learning)):
            loss, numbers = losses(trainer, part, weights, with_moa)
            updates.append(numbers | trainer.update(loss, weights, with_moa))
            goes_on = tend() and goes_on
        passes.append(means(updates))
        goes_on = goes_on and not _is_too_far(passes[-1], learning)
    trainer.own_steps += sum(batch.steps for batch in batches)
    last = {name: passes[-1][name] for name in ("kl", "clipped_share")}
    return make_report(means(passes) | last | before, weights, passes=len(passes))


def _minibatches(chunks: Chunks, learning: LearningSettings) -> int:
    wanted = round(chunks.count * chunks.steps / learning.minibatch)
    return min(max(1, wanted), chunks.count)


def _is_too_far(numbers: Numbers, learning: LearningSettings) -> bool:
    """Whether a pass has left the policy that acted too far behind. Waits for the device."""
    return math.isfinite(learning.kl_limit) and numbers["kl"].item() > learning.kl_limit


def losses(trainer: Trainer, part: Chunks, weights: Weights, moa: bool) -> tuple[Tensor, Numbers]:
    """What an update minimises, and what there is to tell of it.

    Args:
        trainer: The agent.
        part: A minibatch.
        weights: Of the losses, now.
        moa: Whether the model of others learns too, if there is one.
    """
    learning, experiment = trainer.learning, trainer.experiment
    known = part.pixels, part.is_first_host, part.actions, part.state, part.symbols
    unroll = trainer.network.unroll(*known, predictions=part.steps if moa else 0)
    acting = clipped_losses(unroll.policy_logits, unroll.values, part.acting, learning.ratio_clip)
    total = acting.total(learning.value_coefficient, weights.entropy)
    numbers = acting.numbers()
    said = unroll.symbol_logits, unroll.symbol_values
    if part.speaking is not None and said[0] is not None and said[1] is not None:
        speaking = clipped_losses(said[0], said[1], part.speaking, learning.ratio_clip)
        spoken = speaking.total(learning.value_coefficient, learning.communication_entropy)
        total = total + experiment.communication_weight * spoken
        told = speaking.numbers()
        numbers |= {f"symbol_{n}": told[n] for n in ("policy_loss", "value_loss", "entropy")}
    if unroll.moa_logits is not None and part.foreseen is not None:
        cross_entropy = moa_loss(unroll.moa_logits, *part.foreseen)
        total = total + experiment.moa_weight * cross_entropy
    return total, numbers
