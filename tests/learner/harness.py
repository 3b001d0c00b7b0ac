"""A learner with lists in place of ZeroMQ, and a folder and a clock of its own."""

import math

from ssd_learner.build import dims_of
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.checkpoints.restore import restore
from ssd_learner.learner import Learner
from ssd_learner.metrics import LearnerMetrics
from ssd_learner.segments.epochs import SegmentCounts
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.training import train
from ssd_wire.codec import encode
from ssd_wire.messages import Ack
from ssd_wire.run_file import RunSettings

FINGERPRINT = "this run"
ACTOR = b"actor 7"
STOP = object()  # in place of messages: asks a learner to stop while it trains


class ListLinks:
    """Delivers one list of messages per wait, and asks to stop when none is left.

    Messages that arrive during training are in lists of their own.
    """

    def __init__(self):
        self.rounds = []
        self.during_training = iter(())  # one list of messages per poll
        self.is_training = False
        self.stop_requested = False
        self.waits = []
        self.sent = []  # (peer, message)
        self.published = []
        self.on_wait = None  # called at each wait outside training
        self._arrived = []

    def wait(self, seconds):
        if self.is_training:
            messages = next(self.during_training, [])
            self.stop_requested |= messages is STOP
            self._arrived += [] if messages is STOP else messages
            return not self.stop_requested
        self.waits.append(seconds)
        if self.on_wait is not None:
            self.on_wait()
        self.stop_requested |= not self.rounds
        if not self.stop_requested:
            self._arrived = self.rounds.pop(0)
        return not self.stop_requested

    def receive(self):
        while self._arrived:
            peer, message = self._arrived.pop(0)
            frames = message if isinstance(message, list) else encode(message)
            yield peer, [bytes(frame) for frame in frames]

    def send(self, peer, message):
        self.sent.append((peer, message))
        return True

    def publish(self, frame):
        self.published.append(frame)

    def acks(self, peer=ACTOR):
        """All Acks sent to a peer."""
        return [message for to, message in self.sent if to == peer and isinstance(message, Ack)]

    def progress(self, peer=ACTOR):
        """Received, trained and durable of all Acks sent to a peer."""
        return [(ack.received, ack.trained, ack.durable) for ack in self.acks(peer)]


class Harness:
    """A learner, and everything around it that tests read or change."""

    def __init__(
        self,
        folder,
        trainer,
        budget=math.inf,
        batch_threshold=1,
        deterministic=False,
        wait_for_arenas=False,
    ):
        self.folder = folder
        self.now = 0.0
        self.links = ListLinks()
        progress = restore(folder, trainer, FINGERPRINT)
        known = (progress.watermarks, progress.counts) if progress else ((), SegmentCounts())
        self.receiver = SegmentReceiver(
            1, 99, FINGERPRINT, 100, *known, deterministic=deterministic
        )
        self.checkpointer = Checkpointer(folder, folder / "ledger.json", 10.0, 2, lambda: self.now)
        run = RunSettings(segment=8, games=5)
        dims = dims_of(run, trainer.shape, trainer.experiment, trainer.network.state_size)
        self.learner = Learner(
            self.links,
            trainer,
            self.receiver,
            self.checkpointer,
            dims,
            window=2,
            batch_threshold=batch_threshold,
            budget=budget,
            deterministic=deterministic,
            wait_for_arenas=wait_for_arenas,
            now=lambda: self.now,
            train=self._train,
        )
        self.metrics = LearnerMetrics(self.learner)

    def _train(self, trainer, segments, poll):
        self.links.is_training = True
        report = train(trainer, segments, poll)
        self.links.is_training = False
        return report

    def run(self, *rounds, during_training=()):
        """Run the learner through rounds of messages until it stops."""
        self.links.rounds = [list(messages) for messages in rounds]
        self.links.during_training = iter(during_training)
        self.learner.run()
        return self.links
