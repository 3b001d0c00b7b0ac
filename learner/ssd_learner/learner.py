"""The learner process: trains one agent from the segments of every arena. Start reading here."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from ssd_learner.checkpoints.checkpointer import Archive
from ssd_learner.reporting.report import Report
from ssd_learner.segments.receiver import Epoch, Intake
from ssd_learner.trainer import Trainer
from ssd_learner.training import train
from ssd_wire.codec import decode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Ack, Bye, Hello, Message, Refused, Segment, Welcome
from ssd_wire.weights import Weights, encode_weights

HEARD_AT_ONCE = 256  # letters
LONGEST_WAIT = 0.5  # seconds; a checkpoint is at most this late


Train = Callable[[Trainer, Sequence[Segment], Callable[[], bool]], Report]


class Mail(Protocol):
    """Letters from and to the actors: ZeroMQ in production, lists in tests."""

    def wait(self, seconds: float) -> bool:
        """Return when letters are there or time is up; false when asked to stop."""

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All letters that are there: who sent them, and their frames."""

    def send(self, peer: bytes, message: Message) -> bool:
        """Send one, without waiting."""

    def publish(self, frame: bytes) -> None:
        """Send one frame to everybody who listens."""


class Learner:
    """One agent's learner, and all its state that metrics read.

    Args:
        mail: Letters from and to the actors.
        trainer: The agent's network, optimizer and clocks.
        intake: What became of all segments.
        archive: Checkpoints.
        dims: Of the agent's messages.
        window: Segments per lane that an actor may be ahead of what was trained.
        fill: Segments of one actor that make a batch.
        budget: Own-steps at which the run is complete.
        train: Trains on segments.
    """

    def __init__(
        self,
        mail: Mail,
        trainer: Trainer,
        intake: Intake,
        archive: Archive,
        dims: Dims,
        window: int,
        fill: int = 1,
        budget: float = math.inf,
        train: Train = train,
    ) -> None:
        self.mail = mail
        self.trainer = trainer
        self.intake = intake
        self.archive = archive
        self._lengths = dims.lengths
        self.window = window
        self.fill = fill
        self.budget = budget
        self.report: Report | None = None  # of the last update of this process
        self.lag = 0.0
        self.busy_seconds = 0.0
        self.refusals = 0
        self.protocol_errors = 0
        self._train = train
        self._told: dict[int, Ack] = {}
        self._published = b""  # the newest weights that actors may have
        self._newest = 0  # their version
        self._log = logging.getLogger(__name__)

    def live(self) -> None:
        """Train until asked to stop, then make everything durable and say so."""
        self.publish_weights()
        self.finish_if_complete()
        while self.mail.wait(self.patience()):
            self.read_mail()
            if self.has_batch():
                self.train_what_has_arrived()
            if self.archive.is_due(self.intake):
                self.save()
        self.read_mail()
        while self.intake.waiting:
            self.train_what_has_arrived()
        self.save()

    def has_batch(self) -> bool:
        """Whether what has arrived is to be trained on now.

        It is when some actor has sent its share of a batch, or will send no more of it; the others
        are not waited for.
        """
        left = self.budget - self.trainer.own_steps
        return self.intake.has_batch(self.fill, left)

    def patience(self) -> float:
        """How long a wait for letters may last, in seconds."""
        if self.has_batch():
            return 0.0
        return min(LONGEST_WAIT, self.archive.seconds_left()) if self.intake.has_news else 1.0

    def read_mail(self) -> None:
        """Answer the letters that are there; a flood of them must not keep us from training.

        Who waited for us through a long update has asked the same again every second, and is
        answered once.
        """
        asked = set()
        for peer, frames in islice(self.mail.receive(), HEARD_AT_ONCE):
            if len(frames) == 1:  # a question, without arrays
                if (peer, frames[0]) in asked:
                    continue
                asked.add((peer, frames[0]))
            self.mail.send(peer, self.answer(peer, frames))

    def answer(self, peer: bytes, frames: list[bytes]) -> Message:
        """What one letter is answered with."""
        try:
            message = decode(frames, (Hello, Segment, Bye), self._lengths)
        except ProtocolError as fault:
            self.protocol_errors += 1
            self._log.warning("refused %r: %s", peer, fault)
            return Refused(f"not a valid message of this run: {fault}"[:1000], fatal=True)
        match message:
            case Hello():
                outcome = self.intake.hello(peer, message)
            case Segment():
                outcome = self.intake.segment(peer, message)
            case Bye():
                outcome = self.intake.bye(peer, message)
            case _:  # pragma: no cover - decode returns no other
                raise AssertionError(message)
        if isinstance(outcome, Refused):
            self.refusals += 1
            self._log.info("refused %r: %s", peer, outcome.reason)
            return outcome
        if isinstance(message, Hello):
            return self.welcome(outcome, has_newest=self._is_newest(message))
        return self.ack(outcome)

    def _is_newest(self, hello: Hello) -> bool:
        """Whether an actor has weights as new as any."""
        return (
            hello.learner_incarnation == self.intake.learner
            and hello.weights_version >= self._newest
        )

    def welcome(self, epoch: Epoch, *, has_newest: bool) -> Welcome:
        """How far we have come with an epoch, and the newest weights for whom has older ones."""
        self._log.info("welcome arena %d, epoch %016x", epoch.arena, epoch.number)
        return Welcome(
            epoch=epoch.number,
            learner_incarnation=self.intake.learner,
            received=epoch.received,
            trained=epoch.handled,
            durable=epoch.durable,
            window=self.window,
            complete=self.intake.complete,
            weights=None if has_newest else np.frombuffer(self._published, np.uint8),
        )

    def ack(self, epoch: Epoch) -> Ack:
        """What has become of an epoch's segments."""
        self._told[epoch.number] = self.intake.ack(epoch, self._newest)
        return self._told[epoch.number]

    def acknowledge(self) -> None:
        """Tell every actor for which something has changed since it last heard."""
        for epoch in self.intake.epochs:
            if epoch.peer is None or epoch.retired:
                continue
            told, news = self._told.get(epoch.number), self.ack(epoch)
            if told is None or vars(told) != vars(news):
                self.mail.send(epoch.peer, news)

    def train_what_has_arrived(self) -> None:
        """Train on a batch.

        Raises:
            ArithmeticError: what came of it is not finite; it stays untrained in every checkpoint.
        """
        learning = self.trainer.learning
        segments = self.intake.take(
            learning.batch_segments if learning.algorithm == "vtrace" else self.intake.waiting
        )
        version, began = self.trainer.version, time.monotonic()
        self.report = self._train(self.trainer, segments, self.tend)
        self.busy_seconds += time.monotonic() - began
        if not all(map(math.isfinite, self.report.numbers)):
            raise ArithmeticError(f"update {self.trainer.version} is not finite: {self.report}")
        self.lag = self._policy_lag(segments, version)
        self.intake.trained()
        self.publish_weights()
        self.finish_if_complete()
        self.acknowledge()

    def tend(self) -> bool:
        """Answer letters while training, which may take long; whether to go on with it.

        Once asked to stop none is read: actors that go on would keep us for ever.
        """
        goes_on = self.mail.wait(0.0)
        if goes_on:
            self.read_mail()
        return goes_on

    def finish_if_complete(self) -> None:
        """At the budget: train no more, and make the last weights durable."""
        if self.trainer.own_steps >= self.budget and not self.intake.complete:
            self._log.info("complete at %d own-steps", self.trainer.own_steps)
            self.intake.finish()
            self.save()

    def save(self) -> None:
        """Make all that was trained durable, and say so."""
        self.archive.save(self.trainer, self.intake)
        self.acknowledge()

    def publish_weights(self) -> None:
        """Send the current weights to all who listen."""
        weights = Weights(
            learner_incarnation=self.intake.learner,
            version=self.trainer.version,
            own_steps=self.trainer.own_steps,
            tensors=self.trainer.tensors(),
        )
        self._published, self._newest = encode_weights(weights), weights.version
        self.mail.publish(self._published)

    def _policy_lag(self, segments: Iterable[Segment], version: int) -> float:
        """Mean updates between the weights that acted and those that were trained.

        Over all updates of the batch, of which the first was of this version. Weights of a learner
        that was killed may have a higher version than ours; they count as 0.
        """
        middle = version + (self.trainer.version - 1 - version) / 2
        return float(np.mean([max(0.0, middle - one.weights_version) for one in segments]))
