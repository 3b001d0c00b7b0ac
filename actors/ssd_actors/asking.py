"""Who waits, asks again: when nothing was heard for a while, it is time to repeat the question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ssd_wire.codec import Frame

SILENCE = 1.0  # seconds without a word after which a question is repeated
UNSENT = 0.1  # seconds after which one is asked that could not be sent


class Line(Protocol):
    """A line to one server: ZeroMQ in production, lists in tests."""

    dropped: int

    def send(self, frames: Sequence[Frame]) -> bool:
        """Send without waiting; false when that was not possible."""

    def receive(self) -> Iterable[list[bytes]]:
        """All that has arrived."""


class Silence:
    """How long a server has been silent.

    Args:
        now: A clock in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._since = now() - SILENCE  # the first question is due at once

    def broken(self) -> None:
        """The server said something."""
        self._since = self._now()

    def is_long(self) -> bool:
        """Whether to ask again now; if so, the silence is counted anew."""
        if self._now() - self._since < SILENCE:
            return False
        self._since = self._now()
        return True

    def unsent(self) -> None:
        """Nobody is there yet to be asked, or again: ask as soon as somebody may be."""
        self._since = self._now() - SILENCE + UNSENT
