"""Advantages and value targets of one head, over all streams of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ssd_learner.segments.batch import Batch
from ssd_learner.settings import LearningSettings
from ssd_learner.targets.advantages import ESTIMATORS
from ssd_learner.targets.estimates import Estimates, Trajectories
from ssd_learner.targets.rewards import bootstrap_truncated
from ssd_learner.targets.value_normalisation import ValueNormaliser

MIN_DEVIATION = 1e-6  # advantages are divided by at least this


def estimate(
    batches: Sequence[Batch],
    rewards: Sequence[Tensor],
    outputs: Sequence[Tensor],
    log_ratios: Sequence[Tensor],
    learning: LearningSettings,
    normaliser: ValueNormaliser | None,
) -> list[Estimates]:
    """Advantages and value targets of each stream, in units of reward.

    Args:
        batches: Streams, [L, B] each.
        rewards: [L, B] of the head.
        outputs: [L+1, B] of its value head.
        log_ratios: [L, B] as `Trajectories` has them.
        learning: Names the estimator.
        normaliser: Of the value head, if its targets are normalised.
    """
    estimates = []
    for batch, reward, output, log_ratio_t in zip(
        batches, rewards, outputs, log_ratios, strict=True
    ):
        value_t = output if normaliser is None else normaliser.denormalise(output)
        ended_t = batch.is_first[1:]
        trajectories = Trajectories(
            reward_t=bootstrap_truncated(reward, ended_t, value_t, learning),
            discount_t=learning.gamma * ~ended_t,
            value_t=value_t,
            log_ratio_t=log_ratio_t,
        )
        estimates.append(ESTIMATORS[learning.advantages](trajectories, learning))
    return estimates


def normalise(
    estimates: Sequence[Estimates], learning: LearningSettings, normaliser: ValueNormaliser | None
) -> list[Estimates]:
    """Estimates in the scale of the losses: normalised where the settings ask for it.

    Mean and deviation are those of all streams together. The value head's normaliser is updated
    first, and with it the head's weights.
    """
    advantages = [of.advantage for of in estimates]
    targets = [of.target for of in estimates]
    if normaliser is not None:
        normaliser.update(torch.cat([target.flatten() for target in targets]))
        targets = [normaliser.normalise(target) for target in targets]
    if learning.normalise_advantages:
        everywhere = torch.cat([advantage.flatten() for advantage in advantages])
        mean = everywhere.mean()
        deviation = everywhere.std(correction=0).clamp(min=MIN_DEVIATION)
        advantages = [(advantage - mean) / deviation for advantage in advantages]
    return [
        of._replace(advantage=advantage, target=target)
        for of, advantage, target in zip(estimates, advantages, targets, strict=True)
    ]
