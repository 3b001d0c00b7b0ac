"""An actor's segments on their way to being durable. Decides; sends nothing.

Segments are numbered over all lanes, sent in order, and kept until the learner has them in a
checkpoint. What a learner did not receive, or forgot when it was killed, is sent again from where
it stands (go-back-N).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ssd_wire.codec import Frame
from ssd_wire.messages import Ack, Welcome


class ForgottenError(Exception):
    """The learner no longer has what it had called durable, so the epoch cannot go on."""


@dataclass(frozen=True, eq=False)
class Kept:
    """One encoded segment and its number."""

    seq: int
    frames: Sequence[Frame]


class Outbox:
    """The actor's side of the promise about segments.

    Args:
        lanes: How many lanes the window is counted in.
        retained: Segments kept until durable, at most.

    Attributes:
        made: Segments so far; the newest one's number.
        received, trained, durable: What the learner said of them.
        resent: Sendings of a segment that had been sent before.
        complete: Whether the learner trains no more.
    """

    def __init__(self, lanes: int, retained: int) -> None:
        self._lanes = lanes
        self._retained = retained
        self._window: int | None = None  # unknown until the learner has said Welcome
        self._kept: deque[Kept] = deque()
        self._learner = 0
        self._next = 1  # to be sent
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
    def is_settled(self) -> bool:
        """Whether every segment made is durable."""
        return self.durable == self.made

    def has_room(self) -> bool:
        """Whether another segment may be begun: the lag is bounded, and so is what is kept."""
        if self._window is None:
            return False
        return self.untrained < self._window * self._lanes and len(self._kept) < self._retained

    def add(self, frames: Sequence[Frame]) -> None:
        """Keep the next segment: its number is made + 1."""
        self.made += 1
        self._kept.append(Kept(self.made, frames))

    def unsent(self) -> Iterator[Kept]:
        """The segments to send now, in order; call `sent` after each that was."""
        while self._next <= self.made:
            yield self._kept[self._next - self._kept[0].seq]

    def oldest_unreceived(self) -> Kept | None:
        """What to repeat when nothing is heard."""
        if self.received >= self._highest_sent:
            return None
        return self._kept[self.received + 1 - self._kept[0].seq]

    def sent(self, kept: Kept) -> None:
        """Note that a segment went out."""
        self.resent += kept.seq <= self._highest_sent
        self._highest_sent = max(self._highest_sent, kept.seq)
        self._next = max(self._next, kept.seq + 1)

    def welcomed(self, welcome: Welcome, from_where_it_stands: bool) -> None:
        """Take in how far the learner has come with this epoch.

        Args:
            welcome: Its word.
            from_where_it_stands: Whether to send again all that it has not received; always so
                with a learner not met before.

        Raises:
            ForgottenError: when it has less than what was called durable.
        """
        if welcome.received < self.durable or welcome.received > self.made:
            raise ForgottenError(
                f"the learner has {welcome.received} segments of this epoch, "
                f"of {self.durable} durable and {self.made} made"
            )
        new = welcome.learner_incarnation != self._learner
        self._learner = welcome.learner_incarnation
        self._window = welcome.window
        if new:
            self.received, self.trained = welcome.received, welcome.trained
            self.complete = welcome.complete
        self._note(welcome.received, welcome.trained, welcome.durable, welcome.complete)
        if new or from_where_it_stands:
            self._next = self.received + 1

    def acknowledged(self, ack: Ack) -> None:
        """Take in what has become of segments; a learner not welcomed yet is not heard."""
        if ack.learner_incarnation == self._learner and ack.received <= self.made:
            self._note(ack.received, ack.trained, ack.durable, ack.complete)

    def _note(self, received: int, trained: int, durable: int, complete: bool) -> None:
        self.received = max(self.received, received)
        self.trained = max(self.trained, trained)
        self.durable = max(self.durable, durable)
        self.complete |= complete
        self._next = max(self._next, self.durable + 1)
        while self._kept and self._kept[0].seq <= self.durable:
            self._kept.popleft()
