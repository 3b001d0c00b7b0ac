"""A trainer that only records which segments it was trained on, in order."""

import numpy as np

from ssd_actors.segment_builder import SegmentBuilder
from ssd_influence.networks.agent_shape import AgentShape
from ssd_learner.settings import LearningSettings
from ssd_wire.dims import Dims

FINGERPRINT = "this run"
AGENT = 1
DIMS = Dims(T=1, B=1, N=2, A=2, W=3, P=2, S=1)
SHAPE = AgentShape(AGENT, num_agents=2, num_actions=2, view=3, palette=np.zeros((2, 3), np.uint8))


class RecordingTrainer:
    """Has the clocks of a trainer, and the numbers of its segments in place of weights."""

    def __init__(self, algorithm):
        self.shape = SHAPE
        self.learning = LearningSettings(algorithm=algorithm, batch_segments=3)
        self.own_steps = self.version = 0
        self.trained = ()

    def train_on(self, segments):
        self.trained += tuple(int(segment.reward.item()) for segment in segments)

    def state(self):
        return self.trained

    def tensors(self):
        return {}


def numbered_segment(number):
    """A complete segment whose reward is its number."""
    segment = SegmentBuilder(
        DIMS, learner_incarnation=1, weights_version=0, state=np.zeros((1, 1), np.float32)
    )
    segment.reward[:] = number
    return segment
