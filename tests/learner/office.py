"""A learner among letters in lists, with a folder and a clock of its own."""

import math

from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.checkpoints.restore import restore
from ssd_learner.learner import Learner
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.training import train
from ssd_wire.codec import encode
from ssd_wire.messages import Ack

FINGERPRINT = "this run"
ACTOR = b"actor 7"
STOP = object()  # in the place of letters: asks a learner that trains to stop


class ListMail:
    """Delivers a list of letters at each wait, and asks to stop when there is none left.

    What comes while the learner trains has a list of its own.
    """

    def __init__(self):
        self.rounds = []
        self.meanwhile = []  # letters at each wait of a learner that trains
        self.trains = False
        self.stops = False
        self.waits = []
        self.sent = []  # (peer, message)
        self.published = []
        self.between = None  # what else to do while the learner waits
        self._here = []

    def wait(self, seconds):
        if self.trains:
            letters = next(self.meanwhile, [])
            self.stops |= letters is STOP
            self._here += [] if letters is STOP else letters
            return not self.stops
        self.waits.append(seconds)
        if self.between is not None:
            self.between()
        self.stops |= not self.rounds
        if not self.stops:
            self._here = self.rounds.pop(0)
        return not self.stops

    def receive(self):
        while self._here:
            peer, message = self._here.pop(0)
            frames = message if isinstance(message, list) else encode(message)
            yield peer, [bytes(frame) for frame in frames]

    def send(self, peer, message):
        self.sent.append((peer, message))
        return True

    def publish(self, frame):
        self.published.append(frame)

    def acks(self, peer=ACTOR):
        """Received, trained and durable of each Ack that went to a peer."""
        return [(ack.received, ack.trained, ack.durable) for ack in self.whole_acks(peer)]

    def whole_acks(self, peer=ACTOR):
        return [message for to, message in self.sent if to == peer and isinstance(message, Ack)]


class Office:
    """A learner with a folder and a clock of its own."""

    def __init__(self, folder, trainer, budget=math.inf, fill=1):
        self.folder = folder
        self.now = 0.0
        self.mail = ListMail()
        clocks = restore(folder, trainer, FINGERPRINT)
        marks = clocks.watermarks if clocks else ()
        self.intake = SegmentReceiver(1, 99, FINGERPRINT, 100, marks)
        self.archive = Checkpointer(folder, folder / "ledger.json", 10.0, 2, lambda: self.now)
        sizes = {"T": 8, "B": 5, "N": 4, "W": 6, "A": 7, "P": 11, "S": trainer.network.state_size}
        sizes["V"] = trainer.experiment.symbols
        self.learner = Learner(
            self.mail, trainer, self.intake, self.archive, sizes, 2, fill, budget, self.train
        )

    def train(self, trainer, segments, tend):
        self.mail.trains = True
        report = train(trainer, segments, tend)
        self.mail.trains = False
        return report

    def live(self, *rounds, meanwhile=()):
        """Let it live through rounds of letters, and stop."""
        self.mail.rounds = [list(letters) for letters in rounds]
        self.mail.meanwhile = iter(meanwhile)
        self.learner.live()
        return self.mail
