"""From segments to better weights: by the algorithm that the run file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ssd_learner.ppo import update as ppo
from ssd_learner.reporting.report import Report, mean_report
from ssd_learner.segments.batch import collate, join, streams
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.losses import vtrace_update
from ssd_wire.messages import Segment


def train(trainer: Trainer, segments: Sequence[Segment], tend: Callable[[], bool]) -> Report:
    """Train on segments; what all of it looked like.

    Args:
        trainer: Whom to train.
        segments: In the order in which they came.
        tend: Called after each update; once it says no, training ends as soon as all segments
            have been trained on.
    """
    if trainer.learning.algorithm == "ppo":
        batches = [join(stream, trainer.device) for stream in streams(segments)]
        chunk = trainer.learning.chunk or len(segments[0].reward)
        return ppo.learn(trainer, batches, chunk, tend)
    reports = []
    for part in collate(segments, trainer.device).split(trainer.learning.update_games):
        reports.append(vtrace_update(trainer, part))
        tend()
    return mean_report(reports)
