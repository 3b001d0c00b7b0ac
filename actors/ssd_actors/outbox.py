"""An actor's segments, kept until they are durable: at-least-once delivery. Does no sending.

Segments are numbered over all lanes, sent in order, and kept until a checkpoint of the learner
contains them. What the learner did not receive, or lost when it was killed, is sent again from the
first missing one on (go-back-N).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ssd_wire.codec import Frame
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Ack, Message, Welcome


class SegmentsLostError(Exception):
    """The learner lost segments that it had called durable, so the epoch cannot go on."""


@dataclass(frozen=True, eq=False)
class EncodedSegment:
    """A numbered segment, ready to send."""

    seq: int
    frames: Sequence[Frame]


def check_progress(progress: Message) -> None:
    """Check what a learner says it has of an epoch.

    Raises:
        ProtocolError: when it has trained more than it received, or more is durable than trained.
    """
    match progress:
        case Welcome() | Ack() if not progress.durable <= progress.trained <= progress.received:
            found = f"{progress.durable}, {progress.trained}, {progress.received}"
            raise ProtocolError(f"progress: wanted durable <= trained <= received, found {found}")


class Outbox:
    """Numbers segments, says which to send now, and drops them when they are durable.

    Args:
        lanes: Number of lanes; the window allows so many segments for each.
        max_kept: Most segments to keep until they are durable.
        deterministic: Whether each segment must begin with the same weights in every run of the
            same seed. The window is then one batch.

    Attributes:
        made: Number of segments so far; it is the seq of the newest one.
        received, trained, durable: The learner's progress in them.
        resent: How often a segment was sent that had been sent before.
        complete: Whether the learner has met its budget and trains no more.
    """

    def __init__(self, lanes: int, max_kept: int, *, deterministic: bool = False) -> None:
        self._lanes = lanes
        self._max_kept = max_kept
        self._deterministic = deterministic
        self._window: int | None = None  # unknown before the first Welcome
        self._kept: deque[EncodedSegment] = deque()
        self._learner_incarnation = 0
        self._next_seq = 1  # to send
        self._highest_sent = 0
        self.made = 0
        self.received = 0
        self.trained = 0
        self.durable = 0
        self.resent = 0
        self.complete = False

    @property
    def untrained(self) -> int:
        """Segments made and not yet trained."""
        return self.made - self.trained

    @property
    def all_durable(self) -> bool:
        """Whether every segment made is durable."""
        return self.durable == self.made

    def has_room(self) -> bool:
        """Whether another segment may begin: bounds the policy lag, and how many are kept."""
        if self._window is None:
            return False
        return self.untrained < self._window * self._lanes and len(self._kept) < self._max_kept

    def is_due(self, begun: int) -> bool:
        """Whether the weights are those that a lane's next segment must begin with.

        They are the newest ones. In a deterministic run they must also be trained on exactly the
        batches before the one of the segment; for the first segment of a batch, on all but the
        last of these, since that batch is complete only after this segment has begun.

        Args:
            begun: Segments that the lane has begun before.
        """
        if not self._deterministic or self._window is None:
            return True
        batches = max(0, begun - 1) // self._window
        return self.trained >= batches * self._window * self._lanes

    def add(self, frames: Sequence[Frame]) -> None:
        """Keep the next segment, whose seq is made + 1."""
        self.made += 1
        self._kept.append(EncodedSegment(self.made, frames))

    def unsent(self) -> Iterator[EncodedSegment]:
        """The segments to send now, in order. Call `mark_sent` after each that was sent."""
        while self._next_seq <= self.made:
            yield self._kept[self._next_seq - self._kept[0].seq]

    def oldest_unreceived(self) -> EncodedSegment | None:
        """The segment to send again when the learner is silent; None if it received all."""
        if self.received >= self._highest_sent:
            return None
        return self._kept[self.received + 1 - self._kept[0].seq]

    def mark_sent(self, segment: EncodedSegment) -> None:
        """Record that a segment was sent."""
        self.resent += segment.seq <= self._highest_sent
        self._highest_sent = max(self._highest_sent, segment.seq)
        self._next_seq = max(self._next_seq, segment.seq + 1)

    def on_welcome(self, welcome: Welcome, resend: bool) -> None:
        """Take the learner's progress in this epoch.

        Args:
            welcome: From the learner.
            resend: Whether to send again everything that it has not received. A new incarnation
                of the learner is always sent that.

        Raises:
            SegmentsLostError: when it has fewer segments than were called durable.
        """
        if welcome.received < self.durable or welcome.received > self.made:
            raise SegmentsLostError(
                f"the learner has {welcome.received} segments of this epoch, "
                f"of {self.durable} durable and {self.made} made"
            )
        is_new = welcome.learner_incarnation != self._learner_incarnation
        self._learner_incarnation = welcome.learner_incarnation
        self._window = welcome.window
        if is_new:
            self.received, self.trained = welcome.received, welcome.trained
            self.complete = welcome.complete
        self._update(welcome)
        if is_new or resend:
            self._next_seq = self.received + 1

    def on_ack(self, ack: Ack) -> None:
        """Take the learner's progress; ignored from an incarnation without a Welcome."""
        is_welcome = ack.learner_incarnation == self._learner_incarnation
        if is_welcome and ack.received <= self.made:
            self._update(ack)

    def _update(self, progress: Welcome | Ack) -> None:
        self.received = max(self.received, progress.received)
        self.trained = max(self.trained, progress.trained)
        self.durable = max(self.durable, progress.durable)
        self.complete |= progress.complete
        self._next_seq = max(self._next_seq, self.durable + 1)
        while self._kept and self._kept[0].seq <= self.durable:
            self._kept.popleft()
