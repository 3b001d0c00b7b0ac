"""Connections whose messages a server drops unread for a while, so that a flood costs it little."""

from __future__ import annotations

import time
from collections.abc import Callable

IGNORE_SECONDS = 1.0
MAX_IGNORED_PEERS = 1024
MAX_IN_A_ROW = 16  # messages that are dropped before other work goes on
PAUSE = 4.0  # seconds of pause for each second that was spent on dropped messages
LONGEST_PAUSE = 0.02  # seconds


class IgnoredPeers:
    """Says which messages to drop, and pauses the server after many of them.

    During a pause ZeroMQ's queues fill, and then the peer that floods them has to wait.

    Args:
        clock: Returns seconds.
        sleep: Waits so many seconds.

    Attributes:
        dropped: Messages dropped so far.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.dropped = 0
        self._clock = clock
        self._sleep = sleep
        self._until: dict[bytes, float] = {}  # by connection, oldest first
        self._in_a_row = 0
        self._spent = 0.0  # seconds, on these
        self._began = 0.0  # when receiving the newest message began

    def add(self, peer: bytes) -> None:
        """Ignore a connection for `IGNORE_SECONDS` from now on."""
        self._until.pop(peer, None)
        self._until[peer] = self._clock() + IGNORE_SECONDS
        if len(self._until) > MAX_IGNORED_PEERS:
            del self._until[next(iter(self._until))]

    def begin(self) -> None:
        """The messages that have arrived are about to be received."""
        self._in_a_row, self._spent = 0, 0.0

    def begin_message(self) -> None:
        """One message is about to be received."""
        if self._until:
            self._began = self._clock()

    def drops(self, peer: bytes) -> bool:
        """Whether to drop a message of this connection."""
        if not self._until or peer not in self._until:
            return False
        if self._clock() >= self._until[peer]:
            del self._until[peer]
            return False
        self.dropped += 1
        self._in_a_row += 1
        self._spent += self._clock() - self._began
        return True

    def pause_if_due(self) -> bool:
        """Pause if `MAX_IN_A_ROW` messages were dropped; if so, other work has to go on."""
        if self._in_a_row < MAX_IN_A_ROW:
            return False
        self._sleep(min(LONGEST_PAUSE, PAUSE * self._spent))
        return True
