"""The actor's client of its learner: sends segments, receives acknowledgements and weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Protocol

from ssd_actors.outbox import Outbox, check_progress
from ssd_actors.retry import MAX_MESSAGES, Connection, RetryTimer
from ssd_actors.segment_builder import SegmentBuilder
from ssd_wire.codec import decode, encode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError, RefusedError, ReplacedError
from ssd_wire.messages import Ack, Bye, Hello, Refused, Welcome
from ssd_wire.weights import Shapes, Weights, decode_weights

WEIGHTS_RETRY_SECONDS = 0.2  # after an Ack announced weights, until they are requested


class WeightsSubscription(Protocol):
    """Receives published weights: ZeroMQ in production, a list in tests."""

    def newest(self) -> bytes | None:
        """The newest frame since the last call, if there is one."""

    def reopen(self) -> None:
        """Close the connection and open a new one."""


class LearnerClient:
    """Says Hello, sends segments until they are durable, and keeps the newest weights.

    Args:
        connection: To the learner.
        subscription: To the learner's weights.
        hello: Which actor this is.
        outbox: Keeps this actor's segments.
        dims: Of this agent's messages.
        shapes: Shapes of the network's tensors, by name.
        clock: Returns seconds.

    Attributes:
        weights: The newest received, None before the first Welcome.
        retries: Requests repeated after a time without an answer.
        protocol_errors: Messages received that were invalid.
    """

    def __init__(
        self,
        connection: Connection,
        subscription: WeightsSubscription,
        hello: Hello,
        outbox: Outbox,
        dims: Dims,
        shapes: Shapes,
        clock: Callable[[], float],
    ) -> None:
        self.outbox = outbox
        self.weights: Weights | None = None
        self.protocol_errors = 0
        self.retries = 0
        self._connection = connection
        self._subscription = subscription
        self._hello = hello
        self._lengths = dims.lengths
        self._shapes = shapes
        self._retry = RetryTimer(clock)
        self._weights_retry = RetryTimer(clock, WEIGHTS_RETRY_SECONDS)
        self._newest_version = 0  # of the learner's weights, as announced in its Acks
        self._needs_welcome = False  # send nothing before the learner has said what it has
        self._draining = False
        self._log = logging.getLogger(__name__)

    def has_room(self) -> bool:
        """Whether a new segment may begin; never with weights that are known to be stale.

        An Ack makes room, and may overtake the weights that it announces.
        """
        return self.weights is not None and not self._is_stale() and self.outbox.has_room()

    def push(self, segment: SegmentBuilder, lane: int) -> None:
        """Number a complete segment and keep it; `send_segments` sends it."""
        message = segment.build(self._hello.epoch, self.outbox.made + 1, lane)
        self.outbox.add(encode(message))

    def poll(self) -> None:
        """Handle what has arrived, send what is unsent, repeat what has had no answer.

        Raises:
            RefusedError: when the learner refuses this actor for good.
            SegmentsLostError: when it lost segments that it had called durable.
        """
        self._receive_messages()
        self._receive_weights()
        self.send_segments()
        if self._retry.should_reconnect():
            self._reconnect()
            return
        is_due = self._retry.should_retry()
        if self._is_stale() and self._weights_retry.should_retry():
            self._request_weights()
        elif is_due:
            self._retry_request()

    def send_segments(self) -> None:
        """Send unsent segments, as many as the connection takes."""
        if self.weights is None or self._needs_welcome:
            return
        for segment in self.outbox.unsent():
            if not self._connection.send(segment.frames):
                return
            self.outbox.mark_sent(segment)

    def send_bye(self) -> bool:
        """Say that no more segments will come, and ask for a checkpoint; false if not sent."""
        self._draining = True
        return self._connection.send(encode(Bye(self._hello.epoch)))

    def _receive_messages(self) -> None:
        for frames in islice(self._connection.receive(), MAX_MESSAGES):
            self._retry.keep_connection()
            try:
                message = decode(frames, (Welcome, Ack, Refused), self._lengths)
                check_progress(message)
            except ProtocolError as fault:
                self.protocol_errors += 1
                self._log.warning("invalid message from the learner: %.300s", fault)
                continue
            match message:
                case Welcome() if message.epoch == self._hello.epoch:
                    self._on_welcome(message)
                case Ack() if message.epoch == self._hello.epoch:
                    self._on_ack(message)
                case Refused():
                    self._on_refused(message)

    def _is_answered(self, received: int, durable: int) -> bool:
        """Whether an Ack answers what was sent last; otherwise that is repeated, as it may be lost.

        Training on the segments of other arenas brings Acks, too, about newer weights.

        Args:
            received: Of the outbox before the Ack.
            durable: Of the outbox before the Ack.
        """
        if self._needs_welcome:
            return False
        if self.outbox.oldest_unreceived() is not None:
            return self.outbox.received > received
        return not self._draining or self.outbox.durable > durable

    def _on_welcome(self, welcome: Welcome) -> None:
        self._retry.reset()
        new_weights = self._decode_weights(welcome)
        if new_weights is None and self._is_unknown(welcome.learner_incarnation):
            self._send_hello()  # it is late, or from a new learner, whose weights we need
            return
        self.outbox.on_welcome(welcome, resend=self._needs_welcome)
        self._needs_welcome = False
        if new_weights is None:
            return
        if self.weights is None or self._is_unknown(new_weights.learner_incarnation):
            self.weights, self._newest_version = new_weights, new_weights.version
        elif new_weights.version > self.weights.version:  # older ones come in a late Welcome
            self.weights = new_weights

    def _is_unknown(self, learner_incarnation: int) -> bool:
        """Whether we have no weights of this learner incarnation."""
        return self.weights is None or self.weights.learner_incarnation != learner_incarnation

    def _decode_weights(self, welcome: Welcome) -> Weights | None:
        if welcome.weights is None:
            return None
        try:
            return decode_weights(welcome.weights.tobytes(), self._shapes)
        except ProtocolError as fault:
            raise RefusedError(f"the learner's weights do not fit: {fault}") from fault

    def _send_hello(self) -> bool:
        """Say which actor this is, and which weights it has, so that they are not sent again."""
        hello = self._hello
        if self.weights is not None:
            hello = replace(
                hello,
                learner_incarnation=self.weights.learner_incarnation,
                weights_version=self.weights.version,
            )
        return self._connection.send(encode(hello))

    def _on_ack(self, ack: Ack) -> None:
        if self._is_unknown(ack.learner_incarnation):
            self._send_hello()  # the learner is a new one, whose Welcome was lost
            return
        before = (self.outbox.received, self.outbox.durable)
        self.outbox.on_ack(ack)
        if self._is_answered(*before):
            self._retry.reset()
        if not self._is_stale():
            self._weights_retry.reset()  # counts from the first Ack that announces newer ones
        self._newest_version = max(self._newest_version, ack.newest_version)

    def _on_refused(self, refused: Refused) -> None:
        self._retry.reset()
        if refused.fatal:
            error = ReplacedError if refused.replaced else RefusedError
            raise error(f"the learner refused this actor: {refused.reason}")
        if not self._needs_welcome:  # otherwise Hello was sent already
            self._needs_welcome = True
            self._send_hello()

    def _receive_weights(self) -> None:
        frame = self._subscription.newest()
        if frame is None or self.weights is None:
            return
        try:
            published = decode_weights(frame, self._shapes)
        except ProtocolError as fault:
            self.protocol_errors += 1
            self._log.warning("the published weights do not fit: %.300s", fault)
            return
        if self._is_unknown(published.learner_incarnation):
            self._send_hello()  # whichever is the running learner answers
        elif published.version > self.weights.version:
            self.weights = published

    def _is_stale(self) -> bool:
        """Whether the learner announced newer weights than we have received."""
        return self.weights is not None and self.weights.version < self._newest_version

    def _request_weights(self) -> None:
        if not self._send_hello():  # a Welcome carries weights
            self._weights_retry.send_failed()

    def _reconnect(self) -> None:
        self._log.warning("no answer from the learner: opening a new connection")
        self._connection.reopen()
        self._subscription.reopen()
        self._needs_welcome = True
        self._retry.send_failed()

    def _retry_request(self) -> None:
        if self.weights is not None and self.outbox.all_durable:
            if not self._is_stale():
                self._retry.reset()  # there is nothing to wait for
            return
        if self._repeat_request():
            self.retries += 1
        else:
            self._retry.send_failed()

    def _repeat_request(self) -> bool:
        """Send again whatever has had no answer: Hello, a segment or Bye; false if not sent."""
        segment = self.outbox.oldest_unreceived()
        if self.weights is None or self._needs_welcome:
            return self._send_hello()
        if segment is None:
            return self.send_bye() if self._draining else self._send_hello()
        is_sent = self._connection.send(segment.frames)
        if is_sent:
            self.outbox.mark_sent(segment)
        return is_sent
