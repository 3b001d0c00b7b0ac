"""A learner among letters in lists, with a folder and a clock of its own."""

import math

from ssd_learner.checkpoints.checkpointer import Archive
from ssd_learner.checkpoints.restore import restore
from ssd_learner.cli import dims_of
from ssd_learner.learner import Learner
from ssd_learner.segments.receiver import Intake
from ssd_learner.training import train
from ssd_wire.codec import encode
from ssd_wire.messages import Ack
from ssd_wire.run_file import RunSettings

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
        self.intake = Intake(1, 99, FINGERPRINT, 100, marks)
        self.archive = Archive(folder, folder / "ledger.json", 10.0, 2, lambda: self.now)
        dims = dims_of(
            RunSettings(segment=8, games=5),
            trainer.shape,
            trainer.experiment,
            trainer.network.state_size,
        )
        self.learner = Learner(
            self.mail, trainer, self.intake, self.archive, dims, 2, fill, budget, self.train
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
