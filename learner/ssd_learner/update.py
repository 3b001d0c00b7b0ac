"""From segments to better weights: by the algorithm that the run file names."""

from __future__ import annotations

from collections.abc import Sequence

from ssd_learner import ppo
from ssd_learner.batch import collate, join, streams
from ssd_learner.losses import vtrace_update
from ssd_learner.report import Report, mean_report
from ssd_learner.trainer import Trainer
from ssd_wire.messages import Segment


def train(trainer: Trainer, segments: Sequence[Segment]) -> Report:
    """Train on segments; what all of it looked like.

    Args:
        trainer: Whom to train.
        segments: In the order in which they came.
    """
    if trainer.learning.algorithm == "ppo":
        batches = [join(stream, trainer.device) for stream in streams(segments)]
        return ppo.learn(trainer, batches, trainer.learning.chunk or len(segments[0].reward))
    batch = collate(segments, trainer.device)
    return mean_report(
        [vtrace_update(trainer, part) for part in batch.split(trainer.learning.update_games)]
    )
