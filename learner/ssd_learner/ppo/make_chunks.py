"""Makes the chunks that PPO's passes train on, by one evaluation of the network before training.

The evaluation gives the values from which advantages are estimated, the recurrent state before each
chunk, and the measures of the agent on data that it has not been trained on yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ssd_learner.ppo.advantages import estimate, normalise
from ssd_learner.ppo.chunks import Chunks, HeadSamples, concatenate, split_time
from ssd_learner.ppo.evaluation import Evaluation, evaluate
from ssd_learner.reporting.policy_information import policy_information
from ssd_learner.reporting.report import Scalars, explained_variance
from ssd_learner.schedule import ScheduledValues
from ssd_learner.segments.batch import Batch
from ssd_learner.targets.estimates import Estimates
from ssd_learner.targets.moa import MoaLosses, MoaTargets
from ssd_learner.targets.rewards import head_rewards
from ssd_learner.trainer import Trainer


@torch.no_grad()
def make_chunks(
    trainer: Trainer, batches: Sequence[Batch], scheduled: ScheduledValues, chunk: int
) -> tuple[Chunks, Scalars]:
    """Chunks of all streams, and measures of the agent before it is trained on them.

    Args:
        trainer: The agent. Where values are normalised, its value heads are rescaled to the new
            mean and deviation; the values stay the same.
        batches: Streams, [L, B] each.
        scheduled: Coefficients in use.
        chunk: C, which divides every L.
    """
    learning, agent = trainer.learning, trainer.shape.agent
    evaluations = [evaluate(trainer.network, batch, chunk) for batch in batches]
    log_ratios = [of.log_ratio(b, agent) for of, b in zip(evaluations, batches, strict=True)]
    rewards = [head_rewards(b, trainer.experiment, scheduled.beta) for b in batches]

    normaliser = trainer.value_normalisers.get("action")
    outputs = [of.values for of in evaluations]
    action_rewards = [of.action for of in rewards]
    estimates = estimate(batches, action_rewards, outputs, log_ratios, learning, normaliser)
    measures = _measures(batches, evaluations, estimates)
    actions = normalise(estimates, learning, normaliser)

    symbols: Sequence[Estimates | None] = [None] * len(batches)
    if trainer.experiment.symbols:
        normaliser = trainer.value_normalisers.get("symbol")
        outputs = [of.symbol_values for of in evaluations if of.symbol_values is not None]
        symbol_rewards = [of.symbol for of in rewards]
        estimates = estimate(batches, symbol_rewards, outputs, log_ratios, learning, normaliser)
        symbols = normalise(estimates, learning, normaliser)

    streams = zip(batches, evaluations, actions, symbols, strict=True)
    chunks = concatenate([_chunks(trainer, *stream, chunk) for stream in streams])
    return chunks, measures | _moa_measures(evaluations, chunks)


def _measures(
    batches: Sequence[Batch], evaluations: Sequence[Evaluation], estimates: Sequence[Estimates]
) -> Scalars:
    """Rewards, and how well the critic predicted the value targets."""
    errors = torch.cat([of.error.flatten() for of in estimates])
    targets = torch.cat([of.target.flatten() for of in estimates])
    log_policy = torch.cat([of.log_policy.flatten(0, 1) for of in evaluations])
    return {
        "explained_variance": explained_variance(errors, targets),
        "policy_information": policy_information(log_policy),
        "influence": torch.cat([batch.influence.flatten() for batch in batches]).mean(),
        "reward": torch.cat([batch.reward.flatten() for batch in batches]).mean(),
    }


def _moa_measures(evaluations: Sequence[Evaluation], chunks: Chunks) -> Scalars:
    """How well the MOA predicted the others' actions."""
    if chunks.moa_targets is None:
        return {}
    logits = [
        split_time(of.moa_logits, chunks.length) for of in evaluations if of.moa_logits is not None
    ]
    return MoaLosses.of(torch.cat(logits, 1), chunks.moa_targets).scalars()


def _chunks(
    trainer: Trainer,
    batch: Batch,
    evaluation: Evaluation,
    actions: Estimates,
    symbols: Estimates | None,
    chunk: int,
) -> Chunks:
    agent, targets, symbol_head = trainer.shape.agent, None, None
    if evaluation.moa_logits is not None:
        of_batch = MoaTargets.of(batch, trainer.shape, trainer.experiment)
        targets = MoaTargets(*(split_time(of, chunk) for of in of_batch))
    if symbols is not None and batch.symbols is not None and batch.symbol_log_prob is not None:
        own_symbols = batch.symbols[1:, :, agent]
        symbol_head = _samples(own_symbols, batch.symbol_log_prob, symbols, chunk)
    return Chunks(
        pixels=split_time(batch.pixels[:-1], chunk),
        is_first_host=split_time(batch.is_first_host[:-1], chunk),
        is_first=split_time(batch.is_first[:-1], chunk),
        actions=split_time(batch.actions[:-1], chunk, overlap=1),
        state=torch.cat(evaluation.chunk_states),
        action_head=_samples(batch.actions[1:-1, :, agent], batch.log_prob, actions, chunk),
        moa_targets=targets,
        symbols=None if batch.symbols is None else split_time(batch.symbols, chunk, overlap=1),
        symbol_head=symbol_head,
    )


def _samples(action: Tensor, log_prob: Tensor, estimates: Estimates, chunk: int) -> HeadSamples:
    columns = action, log_prob, estimates.advantage, estimates.target
    return HeadSamples(*(split_time(of, chunk) for of in columns))
