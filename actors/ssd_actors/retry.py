"""Who waits, asks again: when nothing was heard for a while, it is time to repeat the question.

A connection may be dead without a sign of it: the server was replaced, or stopped for so long that
it gave the connection up. So who asks in vain makes another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ssd_wire.codec import Frame

SILENCE = 1.0  # seconds without a word after which a question is repeated
IN_VAIN = 5.0  # seconds of asking without a word after which another connection is made
OVERDUE = 0.2  # seconds after which weights that were announced are asked for
UNSENT = 0.1  # seconds after which one is asked that could not be sent


class Line(Protocol):
    """A line to one server: ZeroMQ in production, lists in tests."""

    dropped: int

    def send(self, frames: Sequence[Frame]) -> bool:
        """Send without waiting; false when that was not possible."""

    def receive(self) -> Iterable[list[bytes]]:
        """All that has arrived."""

    def reopen(self) -> None:
        """Give up the connection, with all that is queued on it, and make another."""


class RetryTimer:
    """When to ask, or to ask again, for want of an answer.

    Args:
        now: A clock in seconds.
        patience: Seconds before the first time; from then on it is `SILENCE`.
    """

    def __init__(self, now: Callable[[], float], patience: float = SILENCE) -> None:
        self._now = now
        self._patience = patience
        self._due = now()  # the first question is due at once
        self._asked: float | None = None  # when the first question was that had no answer yet

    def broken(self) -> None:
        """The server said something: count from now."""
        self._due = self._now() + self._patience
        self._asked = None

    def is_long(self) -> bool:
        """Whether to ask now; if so, the next time is due in `SILENCE`."""
        if self._now() < self._due:
            return False
        self._due = self._now() + SILENCE
        if self._asked is None:
            self._asked = self._now()
        return True

    def is_in_vain(self) -> bool:
        """Whether to ask over another connection; if so, the next time is due in `IN_VAIN`."""
        if self._asked is None or self._now() - self._asked < IN_VAIN:
            return False
        self._asked = self._now()
        return True

    def unsent(self) -> None:
        """Nobody is there yet to be asked, or again: ask as soon as somebody may be."""
        self._due = self._now() + UNSENT
