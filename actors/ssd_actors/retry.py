"""When to repeat a request that has had no answer, and when to open a new connection.

A connection can be dead without any sign of it: the server was replaced, or it was stopped for so
long that it closed the connection. So an actor repeats its requests until an answer arrives, and
opens a new connection when nothing at all does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ssd_wire.codec import Frame

RETRY_SECONDS = 1.0  # without an answer, after which a request is repeated
RECONNECT_SECONDS = 5.0  # of repeating without a message, after which the connection is replaced
MAX_MESSAGES = 256  # handled in a row, so that a flood from one server cannot stop work for another
SEND_AGAIN_SECONDS = 0.1  # after which a request is repeated that could not be sent


class Connection(Protocol):
    """A connection to one server: ZeroMQ in production, lists in tests."""

    dropped: int

    def send(self, frames: Sequence[Frame]) -> bool:
        """Send without blocking; false when that was not possible."""

    def receive(self) -> Iterable[list[bytes]]:
        """All messages that have arrived."""

    def reopen(self) -> None:
        """Close the connection, dropping everything queued on it, and open a new one."""


class RetryTimer:
    """Says when to send a request, and when to send it again for want of an answer.

    Args:
        clock: Returns seconds.
        delay: Seconds from the last answer to the first retry; later ones follow every
            `RETRY_SECONDS`.
    """

    def __init__(self, clock: Callable[[], float], delay: float = RETRY_SECONDS) -> None:
        self._clock = clock
        self._delay = delay
        self._due = clock()  # the first request is due at once
        self._first_request: float | None = None  # time of the first one since the last message

    def reset(self) -> None:
        """Start again from now: the server answered."""
        self._due = self._clock() + self._delay
        self._first_request = None

    def keep_connection(self) -> None:
        """Postpone a new connection: something arrived, though it may be no answer."""
        self._first_request = None

    def should_retry(self) -> bool:
        """Whether to send the request now; if so, the next one is due in `RETRY_SECONDS`."""
        if self._clock() < self._due:
            return False
        self._due = self._clock() + RETRY_SECONDS
        if self._first_request is None:
            self._first_request = self._clock()
        return True

    def should_reconnect(self) -> bool:
        """Whether to open a new connection; if so, the next is due in `RECONNECT_SECONDS`."""
        if self._first_request is None:
            return False
        if self._clock() - self._first_request < RECONNECT_SECONDS:
            return False
        self._first_request = self._clock()
        return True

    def send_failed(self) -> None:
        """Try again soon: the request could not be sent."""
        self._due = self._clock() + SEND_AGAIN_SECONDS
