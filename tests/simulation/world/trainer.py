"""A trainer without a network: it records which segments it was trained on, in order.

It takes the place of `ssd_learner.trainer.Trainer`. Its state, which goes into the checkpoints, is
that record.
"""

from types import SimpleNamespace

import numpy as np
import torch
from tests.simulation.settings import LEARNING

from ssd_learner.reporting.report import Report

TENSOR = "trained"  # in a checkpoint: numbers of the segments, as `Record.trained` has them
REPORT = Report()


class RecordingTrainer:
    """Has the clocks of a trainer, and the numbers of its segments in place of weights."""

    def __init__(self, settings, agent):
        self.shape = SimpleNamespace(agent=agent)
        self.learning = LEARNING[settings.algorithm]
        self.own_steps = 0
        self.version = 0
        self.trained = []

    def state(self):
        """All tensors of a checkpoint."""
        return {TENSOR: torch.tensor(self.trained, dtype=torch.int64)}

    def restore(self, tensors, own_steps, version):
        """Continue from a checkpoint."""
        self.trained = tensors[TENSOR].tolist()
        self.own_steps, self.version = own_steps, version

    def tensors(self):
        """The weights."""
        return {"version": np.array([self.version], np.float32)}


WEIGHT_SHAPES = {"version": (1,)}


class Training:
    """The training function of one learner: several updates, with a poll after each.

    Args:
        settings: Of the history.
        record: Is told the segments.
        process: The learner's.
        rng: Draws how long updates take.

    Attributes:
        learner: To be set before the first call.
    """

    def __init__(self, settings, record, process, rng):
        self.learner = None
        self._settings = settings
        self._record = record
        self._process = process
        self._rng = rng

    def __call__(self, trainer, segments, poll):
        """Train on segments."""
        record, rng, longest = self._record, self._rng, self._settings.training_seconds
        agent = trainer.shape.agent
        trainer.trained += [record.on_trained(agent, segment) for segment in segments]
        updates = 2 if trainer.own_steps % 3 == 0 else 1
        for _ in range(updates):
            if longest:
                self._process.sleep(longest * rng.random())
            trainer.version += 1
            proceed = poll()
            record.check_counts(self.learner, in_training=len(segments))
            if not proceed:
                break
        trainer.own_steps += len(segments) * self._settings.segment_steps
        return REPORT
