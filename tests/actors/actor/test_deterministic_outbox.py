"""In a deterministic run each segment begins with the same weights, whichever lane is faster."""

import numpy as np
import pytest
from tests.actors.actor.test_outbox import ack, add, send_all, welcome

from ssd_actors.outbox import Outbox

LANES, PER_LANE = 2, 3  # of a batch
BATCH = LANES * PER_LANE


class Lanes:
    """Lanes that progress at random speeds, and a learner that trains on batches when it likes."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.outbox = Outbox(LANES, max_kept=100, deterministic=True)
        self.outbox.on_welcome(welcome(window=PER_LANE), resend=False)
        self.begun = [0] * LANES
        self.trained = 0
        self.began_with = {}  # (lane, number) → batches that its weights were trained on

    def step(self):
        if self.rng.random() < 0.2:
            self.train()
            return
        lane = self.rng.integers(LANES)
        if self.outbox.has_room() and self.outbox.is_due(self.begun[lane]):
            self.began_with[lane, self.begun[lane]] = self.trained
            if self.begun[lane]:  # the one before is complete now
                add(self.outbox, 1)
                send_all(self.outbox)
            self.begun[lane] += 1

    def train(self):
        if self.outbox.made >= BATCH * (self.trained + 1):
            self.trained += 1
        count = BATCH * self.trained
        self.outbox.on_ack(ack(received=self.outbox.made, trained=count, durable=count))


@pytest.mark.parametrize("seed", range(10))
def test_the_weights_of_a_segment_depend_only_on_how_many_its_lane_began_before(seed):
    lanes = Lanes(seed)
    for _ in range(2000):
        lanes.step()
    assert min(lanes.begun) >= 20 * PER_LANE
    for (_, number), batches in lanes.began_with.items():
        assert batches == max(0, number - 1) // PER_LANE


def test_a_batch_has_as_many_segments_of_each_lane():
    lanes = Lanes(seed=0)
    while lanes.outbox.made < 12 * BATCH:
        lanes.step()
        ahead = [begun - PER_LANE * lanes.trained for begun in lanes.begun]
        assert max(ahead) <= PER_LANE + 1
