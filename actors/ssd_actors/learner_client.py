"""The actor's end of the line to its learner: segments out, acknowledgements and weights in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ssd_actors.lane import Finished
from ssd_actors.outbox import Outbox
from ssd_actors.retry import OVERDUE, Line, RetryTimer
from ssd_wire.codec import Sizes, decode, encode
from ssd_wire.errors import ProtocolError, RefusedError
from ssd_wire.messages import Ack, Bye, Hello, Refused, Welcome
from ssd_wire.weights import Shapes, Weights, decode_weights


class News(Protocol):
    """Where weights are published: ZeroMQ in production, a list in tests."""

    def newest(self) -> bytes | None:
        """The newest frame since the last call, if there is one."""

    def reopen(self) -> None:
        """Give up the connection and make another."""


class LearnerClient:
    """Says Hello, sends segments until they are durable, and takes in newer weights.

    Args:
        line: To the learner.
        news: Of its weights.
        hello: Who we are.
        outbox: Our segments.
        sizes: Lengths of the run's axes.
        shapes: Of the network's tensors, by name.
        now: A clock in seconds.

    Attributes:
        weights: The newest heard of, None before the first Welcome.
        repeats: Questions asked again after silence.
        protocol_errors: Messages that were none.
    """

    def __init__(
        self,
        line: Line,
        news: News,
        hello: Hello,
        outbox: Outbox,
        sizes: Sizes,
        shapes: Shapes,
        now: Callable[[], float],
    ) -> None:
        self.outbox = outbox
        self.weights: Weights | None = None
        self.protocol_errors = 0
        self._silence = RetryTimer(now)
        self.repeats = 0
        self._line = line
        self._news = news
        self._hello = hello
        self._sizes = sizes
        self._shapes = shapes
        self._newest = 0  # version of the learner's weights, as it acknowledged
        self._overdue = RetryTimer(now, OVERDUE)  # since it acknowledged newer ones than we have
        self._confused = False  # the learner must tell where it stands before it is sent more
        self._leaving = False
        self._log = logging.getLogger(__name__)

    def has_room(self) -> bool:
        """Whether a new segment may be begun: never on weights that are known to be old.

        An acknowledgement makes room, and comes on another line than the weights it tells of.
        """
        return self.weights is not None and not self._is_stale() and self.outbox.has_room()

    def push(self, finished: Finished, lane: int) -> None:
        """Number a finished segment and keep it; `send` sends it."""
        segment = finished.draft.finish(
            self._hello.epoch, self.outbox.made + 1, lane, finished.last_actions
        )
        self.outbox.add(encode(segment))

    def tend(self) -> None:
        """Read what has come, send what is due, ask again after silence.

        Raises:
            RefusedError: when the learner will not have us.
            ForgottenError: when it lost what it had called durable.
        """
        self._read_line()
        self._read_news()
        self.send()
        if self._silence.is_in_vain():
            self._connect_anew()
            return
        silent = self._silence.is_long()
        if self._is_stale() and self._overdue.is_long():
            self._ask_for_weights()
        elif silent:
            self._ask_again()

    def send(self) -> None:
        """Send what is unsent, as far as the line takes it."""
        if self.weights is None or self._confused:  # not welcome, yet or again
            return
        for kept in self.outbox.unsent():
            if not self._line.send(kept.frames):
                return
            self.outbox.sent(kept)

    def say_bye(self) -> bool:
        """Ask the learner to make durable what it has, for no more will come; false if unsent."""
        self._leaving = True
        return self._line.send(encode(Bye(self._hello.epoch)))

    def _read_line(self) -> None:
        for frames in self._line.receive():
            self._silence.broken()
            try:
                message = decode(frames, (Welcome, Ack, Refused), self._sizes)
            except ProtocolError as fault:
                self.protocol_errors += 1
                self._log.warning("the learner sent what is no message: %s", fault)
                continue
            match message:
                case Welcome():
                    self._welcomed(message)
                case Ack() if message.epoch == self._hello.epoch:
                    self._acknowledged(message)
                case Refused():
                    self._refused(message)

    def _welcomed(self, welcome: Welcome) -> None:
        if welcome.epoch != self._hello.epoch:
            return
        told = self._weights_in(welcome)
        if told is None and (
            self.weights is None or self.weights.learner_incarnation != welcome.learner_incarnation
        ):
            self._say_hello()  # late, or somebody else's by now
            return
        self.outbox.welcomed(welcome, from_where_it_stands=self._confused)
        self._confused = False
        if told is None:
            return
        if self.weights is None or told.learner_incarnation != self.weights.learner_incarnation:
            self.weights, self._newest = told, told.version
        elif told.version > self.weights.version:  # one sent long ago may come after newer news
            self.weights = told

    def _weights_in(self, welcome: Welcome) -> Weights | None:
        if welcome.weights is None:
            return None
        try:
            return decode_weights(welcome.weights.tobytes(), self._shapes)
        except ProtocolError as fault:
            raise RefusedError(f"the learner's weights do not fit: {fault}") from fault

    def _say_hello(self) -> bool:
        """Tell the learner who we are, and which weights we have: those it need not send."""
        hello = self._hello
        if self.weights is not None:
            have = self.weights
            hello = replace(
                hello, learner_incarnation=have.learner_incarnation, weights_version=have.version
            )
        return self._line.send(encode(hello))

    def _acknowledged(self, ack: Ack) -> None:
        if self.weights is None or ack.learner_incarnation != self.weights.learner_incarnation:
            self._say_hello()  # somebody else by now, whose Welcome was lost
            return
        self.outbox.acknowledged(ack)
        if not self._is_stale():
            self._overdue.broken()  # from this word on they may be
        self._newest = max(self._newest, ack.newest_version)

    def _refused(self, refused: Refused) -> None:
        if refused.fatal:
            raise RefusedError(f"the learner refused this actor: {refused.reason}")
        if not self._confused:  # or else it was said already
            self._confused = True
            self._say_hello()

    def _read_news(self) -> None:
        frame = self._news.newest()
        if frame is None or self.weights is None:
            return
        try:
            heard = decode_weights(frame, self._shapes)
        except ProtocolError as fault:
            self.protocol_errors += 1
            self._log.warning("weights that do not fit: %s", fault)
            return
        if (
            heard.learner_incarnation != self.weights.learner_incarnation
        ):  # somebody else by now, or still
            self._say_hello()
        elif heard.version > self.weights.version:
            self.weights = heard

    def _is_stale(self) -> bool:
        """Whether the learner has told of newer weights than we have heard."""
        return self.weights is not None and self.weights.version < self._newest

    def _ask_for_weights(self) -> None:
        if not self._say_hello():  # Welcome carries weights
            self._overdue.unsent()

    def _connect_anew(self) -> None:
        self._log.warning("the learner does not answer: connecting anew")
        self._line.reopen()
        self._news.reopen()
        self._confused = True
        self._silence.unsent()

    def _ask_again(self) -> None:
        if self.weights is not None and self.outbox.is_settled:
            if not self._is_stale():
                self._silence.broken()  # nothing is owed to us
            return
        if self._ask():
            self.repeats += 1
        else:
            self._silence.unsent()

    def _ask(self) -> bool:
        oldest = self.outbox.oldest_unreceived()
        if self.weights is None or self._confused or (oldest is None and not self._leaving):
            return self._say_hello()
        if oldest is None:
            return self.say_bye()
        sent = self._line.send(oldest.frames)
        if sent:
            self.outbox.sent(oldest)
        return sent
