"""The learner process: trains one agent from the segments of every arena. Start reading here."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.reporting.report import Report
from ssd_learner.segments.arena_wait import ArenaWait
from ssd_learner.segments.epochs import Epoch
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.trainer import Trainer
from ssd_learner.training import train
from ssd_wire.codec import decode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Ack, Bye, Hello, Message, Refused, Segment, Welcome
from ssd_wire.weights import Weights, encode_weights

MAX_MESSAGES = 256  # handled in a row, so that a flood of messages does not keep us from training
MAX_WEIGHTS = 32  # sent in a row in answer to Hellos; the other actors ask again after a second
IDLE_WAIT = 1.0  # seconds
MAX_WAIT = 0.5  # seconds, while a checkpoint may become due: it is at most this late


Train = Callable[[Trainer, Sequence[Segment], Callable[[], bool]], Report]


class Links(Protocol):
    """Messages from and to the actors: over ZeroMQ in production, in lists in tests."""

    def wait(self, seconds: float) -> bool:
        """Return when messages have arrived or time is up; false when asked to stop."""

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All messages that have arrived: the sender's connection, and the frames."""

    def send(self, peer: bytes, message: Message) -> bool:
        """Send a message without blocking."""

    def publish(self, frame: bytes) -> None:
        """Send a frame to all subscribers."""


class Learner:
    """One agent's learner, with all the state that metrics read.

    Args:
        links: Messages from and to the actors.
        trainer: The agent's network and optimizer.
        receiver: Deduplicates segments and tracks their progress.
        checkpointer: Writes checkpoints.
        dims: Of the agent's messages.
        window: Segments per lane that an actor may be ahead of what was trained.
        batch_threshold: Segments of an arena that are its share of a batch.
        budget: Own-steps at which the run is complete.
        deterministic: Whether every batch has exactly `batch_threshold` segments and is trained on
            to its end, so that it does not matter when segments and requests to stop arrive.
        wait_for_arenas: Whether a batch waits for the shares of all arenas, for a limited time.
        now: A clock in seconds.
        train: Trains on segments.
    """

    def __init__(
        self,
        links: Links,
        trainer: Trainer,
        receiver: SegmentReceiver,
        checkpointer: Checkpointer,
        dims: Dims,
        window: int,
        batch_threshold: int = 1,
        budget: float = math.inf,
        deterministic: bool = False,
        wait_for_arenas: bool = False,
        now: Callable[[], float] = time.monotonic,
        train: Train = train,
    ) -> None:
        self.links = links
        self.trainer = trainer
        self.receiver = receiver
        self.checkpointer = checkpointer
        self._lengths = dims.lengths
        self.window = window
        self.batch_threshold = batch_threshold
        self.budget = budget
        self.deterministic = deterministic
        self.wait_for_arenas = wait_for_arenas
        self.incomplete_batches = 0
        self.report: Report | None = None  # on the last batch of this process
        self.policy_lag = 0.0
        self.busy_seconds = 0.0
        self.refusals = 0
        self.protocol_errors = 0
        self._arena_wait = ArenaWait(now)
        self._now = now
        self._train = train
        self._weights_left = MAX_WEIGHTS  # how many may still be sent in this row
        self._published_weights = b""
        self._published_version = 0
        self._log = logging.getLogger(__name__)

    def run(self) -> None:
        """Train until asked to stop, then train on the rest and make everything durable.

        Raises:
            OSError: the last checkpoint, or the last ledger, cannot be written.
        """
        self.publish_weights()
        self.complete_if_budget_reached()
        while self.links.wait(self.wait_seconds()):
            self.handle_messages()
            if self.has_batch():
                self.train_batch()
            if self.checkpointer.is_due(self.receiver):
                self.save_checkpoint()
        self.handle_messages()
        while self.has_batch() if self.deterministic else self.receiver.queued:
            self.train_batch()
        self.checkpointer.save(self.trainer, self.receiver)
        self.acknowledge()
        if self.checkpointer.ledger_fault is not None:
            raise self.checkpointer.ledger_fault

    def has_batch(self) -> bool:
        """Whether to train now."""
        return not self.seconds_until_batch()

    def seconds_until_batch(self) -> float:
        """How long to wait for more segments before training; infinite without a complete share.

        Training starts when all arenas that take part have sent their shares of a batch, and at the
        end of `ArenaWait` at the latest. It starts at once when an actor whose segments are queued
        is leaving.
        """
        own_steps_left = self.budget - self.trainer.own_steps
        if self.deterministic:  # the last batch is as large as all others
            own_steps_left = math.inf
        if self.receiver.must_train(own_steps_left):
            return 0.0
        if not self.receiver.has_share(self.batch_threshold):
            return math.inf
        return self._arena_wait.seconds_left() if self._lacks_a_share() else 0.0

    def _lacks_a_share(self) -> bool:
        """Whether an arena that takes part has not sent its whole share, and is waited for."""
        return self.wait_for_arenas and self.receiver.awaits_arena(self.batch_threshold)

    def wait_seconds(self) -> float:
        """How long the next wait for messages may last."""
        limits = [IDLE_WAIT, self.seconds_until_batch()]
        if self.receiver.has_uncommitted:
            limits += [MAX_WAIT, self.checkpointer.seconds_until_due()]
        return min(limits)

    def handle_messages(self) -> None:
        """Reply to the messages that have arrived.

        An actor that waits through a long update repeats its request every second. Identical
        requests get one reply.
        """
        requests = set()
        self._weights_left = MAX_WEIGHTS
        for peer, frames in islice(self.links.receive(), MAX_MESSAGES):
            if len(frames) == 1:  # no arrays, so no segment
                if (peer, frames[0]) in requests:
                    continue
                requests.add((peer, frames[0]))
            reply = self.reply_to(peer, frames)
            if reply is not None:
                self.links.send(peer, reply)
        if self.receiver.has_share(self.batch_threshold):
            self._arena_wait.share_complete()

    def reply_to(self, peer: bytes, frames: list[bytes]) -> Message | None:
        """The reply to one message; None to a Hello that asks for weights after too many others."""
        try:
            message = decode(frames, (Hello, Segment, Bye), self._lengths)
        except ProtocolError as fault:
            self.protocol_errors += 1
            self._log.warning("refused %r: %.300s", peer, fault)
            return Refused(f"not a valid message of this run: {fault}"[:1000], fatal=True)
        match message:
            case Hello() if not (self._weights_left or self._has_newest_weights(message)):
                return None
            case Hello():
                outcome = self.receiver.hello(peer, message)
            case Segment():
                outcome = self.receiver.segment(peer, message)
            case Bye():
                outcome = self.receiver.bye(peer, message)
            case _:  # pragma: no cover - decode returns no other
                raise AssertionError(message)
        if isinstance(outcome, Refused):
            self.refusals += 1
            self._log.info("refused %r: %.300s", peer, outcome.reason)
            return outcome
        if isinstance(message, Hello):
            return self.welcome(outcome, has_newest=self._has_newest_weights(message))
        return self.ack(outcome)

    def _has_newest_weights(self, hello: Hello) -> bool:
        ours = hello.learner_incarnation == self.receiver.learner_incarnation
        return ours and hello.weights_version >= self._published_version

    def welcome(self, epoch: Epoch, *, has_newest: bool) -> Welcome:
        """The reply to a Hello, with the newest weights for an actor that does not have them."""
        self._log.info("welcome arena %d, epoch %016x", epoch.arena, epoch.number)
        self._weights_left -= not has_newest
        return Welcome(
            epoch=epoch.number,
            learner_incarnation=self.receiver.learner_incarnation,
            received=epoch.received,
            trained=epoch.consumed,
            durable=epoch.durable,
            window=self.window,
            complete=self.receiver.complete,
            weights=None if has_newest else np.frombuffer(self._published_weights, np.uint8),
        )

    def ack(self, epoch: Epoch) -> Ack:
        """The acknowledgement of an epoch's segments."""
        epoch.last_ack = self.receiver.ack(epoch, self._published_version)
        return epoch.last_ack

    def acknowledge(self) -> None:
        """Send an Ack to each actor whose last one is out of date."""
        for epoch in self.receiver.epochs:
            if epoch.peer is None or (epoch.retired and not epoch.leaving):
                continue
            last, current = epoch.last_ack, self.ack(epoch)
            if last is None or vars(last) != vars(current):
                self.links.send(epoch.peer, current)

    def train_batch(self) -> None:
        """Train on queued segments.

        Raises:
            ArithmeticError: the update is not finite; no checkpoint will contain it.
        """
        self.incomplete_batches += self._lacks_a_share()
        self._arena_wait.begin_batch()
        segments = self.receiver.take(self._batch_limit())
        version, started = self.trainer.version, self._now()
        self.report = self._train(self.trainer, segments, self.poll)
        self.busy_seconds += self._now() - started
        if not all(map(math.isfinite, self.report.values)):
            raise ArithmeticError(f"update {self.trainer.version} is not finite: {self.report}")
        self.policy_lag = self._mean_policy_lag(segments, version)
        self.receiver.mark_trained()
        self.publish_weights()
        self.complete_if_budget_reached()
        self.acknowledge()

    def _batch_limit(self) -> int:
        """Most segments in a batch.

        With PPO all that have arrived, also of an actor that has not sent its share when the wait
        for it ends. Its returns then end before the horizon, in the critic's estimate. When such
        segments were left for a later batch, they were older, and Cleanup was harder to learn.
        """
        if self.deterministic:
            return self.batch_threshold
        learning = self.trainer.learning
        return learning.batch_segments if learning.algorithm == "vtrace" else self.receiver.queued

    def poll(self) -> bool:
        """Handle messages during training, which may take long; false when it should end soon.

        That is when this process is asked to stop, and when all actors wait to stop. Once asked to
        stop, it handles no more messages: actors keep sending segments, and training on all of
        them would never end. In a deterministic run training is never shortened.
        """
        proceed = self.links.wait(0.0)
        if proceed:
            self.handle_messages()
        return self.deterministic or (proceed and not self.receiver.all_leaving)

    def complete_if_budget_reached(self) -> None:
        """At the budget, stop training and make the last weights durable."""
        if self.trainer.own_steps >= self.budget and not self.receiver.complete:
            self._log.info("complete at %d own-steps", self.trainer.own_steps)
            self.receiver.mark_complete()
            self.save_checkpoint()

    def save_checkpoint(self) -> None:
        """Make all consumed segments durable, and acknowledge them, if the disk allows it."""
        self.checkpointer.try_save(self.trainer, self.receiver)
        self.acknowledge()

    def publish_weights(self) -> None:
        """Send the current weights to all subscribers."""
        weights = Weights(
            learner_incarnation=self.receiver.learner_incarnation,
            version=self.trainer.version,
            own_steps=self.trainer.own_steps,
            tensors=self.trainer.tensors(),
        )
        self._published_weights = encode_weights(weights)
        self._published_version = weights.version
        self.links.publish(self._published_weights)

    def _mean_policy_lag(self, segments: Iterable[Segment], first_version: int) -> float:
        """Mean number of updates between the weights that acted and those that were trained.

        The mean is over all updates of the batch, which started from `first_version`. Weights from
        a killed learner may have a higher version than ours; their lag counts as 0.
        """
        mean_version = first_version + (self.trainer.version - 1 - first_version) / 2
        return float(np.mean([max(0.0, mean_version - one.weights_version) for one in segments]))
