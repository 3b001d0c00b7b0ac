"""Training on segments, by the algorithm that the run file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ssd_learner.ppo.update import train_ppo
from ssd_learner.reporting.report import Report, mean_report
from ssd_learner.segments.batch import concatenate_time, stack_games
from ssd_learner.segments.streams import group_consecutive
from ssd_learner.trainer import Trainer
from ssd_learner.vtrace.update import vtrace_update
from ssd_wire.messages import Segment


def train(trainer: Trainer, segments: Sequence[Segment], poll: Callable[[], bool]) -> Report:
    """Train on segments, and report on all of them together.

    Args:
        trainer: The agent.
        segments: In any order. Those of a lane are trained on in the order of their numbers.
        poll: Called after each update. After it returns false, training ends as soon as all
            segments have been trained on.
    """
    segments = sorted(segments, key=lambda segment: (segment.epoch, segment.lane, segment.seq))
    if trainer.learning.algorithm == "ppo":
        streams = group_consecutive(segments)
        batches = [concatenate_time(stream, trainer.device) for stream in streams]
        chunk = trainer.learning.chunk or len(segments[0].reward)
        return train_ppo(trainer, batches, chunk, poll)
    reports = []
    batch = stack_games(segments, trainer.device)
    for part in batch.split_games(trainer.learning.update_games):
        reports.append(vtrace_update(trainer, part))
        poll()
    return mean_report(reports)
