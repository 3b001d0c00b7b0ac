"""Ends connections that flood a server.

ZeroMQ receives as fast as a peer can send, and keeps all parts of a message until the last one has
arrived, without a limit. So a server ends a connection over which

- more messages a second arrive than a working peer ever sends that lead nowhere: those it answers
  with Seat, Welcome or Refused, and those that arrive after it refused the peer for good;
- much has arrived since the last complete message.

Then it accepts no new connections for a while, see `NewConnections`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

from ssd_wire.guard.new_connections import NewConnections
from ssd_wire.guard.tcp import bytes_received, shut_down

MAX_USELESS = 200  # messages per second of a connection that lead nowhere
IGNORE_SECONDS = 1.0  # after refusing a peer for good, its messages are dropped unread for so long
MAX_IGNORED = 1024  # connections
MAX_UNFINISHED = 64 << 20  # bytes of a connection since its last complete message
SCAN_SECONDS = 0.25
SCAN_SHARE = 0.02  # of the time, at most, for looking at how much has arrived

_log = logging.getLogger(__name__)


class ConnectionGuard:
    """Watches the connections of one bound socket.

    Args:
        endpoint: Where it is bound. How much arrives is known for tcp alone.
        max_unfinished: Bytes of a connection since its last complete message.
        clock: Returns seconds.

    Attributes:
        ended: Connections ended so far.
        new_connections: Whether the endpoint accepts any.
    """

    def __init__(
        self,
        endpoint: str,
        max_unfinished: int = MAX_UNFINISHED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ended = 0
        self._port = int(endpoint.rpartition(":")[2]) if endpoint.startswith("tcp://") else None
        self.new_connections = NewConnections(self._port, clock)
        self._max_unfinished = max_unfinished
        self._clock = clock
        self._ignored_until: dict[bytes, float] = {}  # oldest first
        self._useless: Counter[bytes] = Counter()
        self._next_second = clock() + 1.0
        self._heard: set[int] = set()  # who has sent a message since the last scan
        self._finished: dict[int, int] = {}  # bytes received at the last scan with a message
        self._suspects: set[int] = set()  # too much had arrived at the last scan
        self._next_scan = clock()

    def admits(self, peer: bytes, descriptor: int) -> bool:
        """Whether to read a message of this connection. Each message has to be asked for.

        Args:
            peer: The connection's id. No other ever has the same, unlike its descriptor.
            descriptor: Of its socket.
        """
        self._heard.add(descriptor)
        if not self._ignored_until or peer not in self._ignored_until:
            return True
        if self._clock() >= self._ignored_until[peer]:
            del self._ignored_until[peer]
            return True
        self.add_useless(peer, descriptor)
        return False

    def ignore(self, peer: bytes) -> None:
        """Drop what arrives over this connection, for a while."""
        self._ignored_until.pop(peer, None)
        self._ignored_until[peer] = self._clock() + IGNORE_SECONDS
        if len(self._ignored_until) > MAX_IGNORED:
            del self._ignored_until[next(iter(self._ignored_until))]  # the oldest

    def add_useless(self, peer: bytes, descriptor: int) -> None:
        """A message of this connection has led nowhere."""
        if self._clock() >= self._next_second:
            self._useless.clear()
            self._next_second = self._clock() + 1.0
        self._useless[peer] += 1
        if self._useless[peer] == MAX_USELESS:
            self.ignore(peer)  # what has arrived and was not read
            self.end(descriptor, "too many messages that lead nowhere")

    def end(self, descriptor: int, reason: str) -> None:
        """End a connection, and accept no new ones for a while."""
        _log.warning("a connection was ended: %s", reason)
        self.ended += 1
        shut_down(descriptor)
        self.new_connections.pause()

    def update(self) -> None:
        """Do what is due. To be called often."""
        self.new_connections.update()
        if self._port is None or (began := self._clock()) < self._next_scan:
            return
        self._scan(self._port)
        taken = self._clock() - began
        self._next_scan = began + max(SCAN_SECONDS, taken / SCAN_SHARE)

    def bound_again(self) -> None:
        """The socket was closed and bound again: all connections are new."""
        self._ignored_until.clear()
        self._finished.clear()
        self._suspects.clear()
        self.new_connections.bound_again()

    def _scan(self, port: int) -> None:
        """End connections over which much has arrived since their last complete message.

        What had arrived may not have been read yet, so a connection has the time until the next
        scan.
        """
        received = bytes_received(port)
        suspects = set()
        for descriptor, count in received.items():
            finished = self._finished.get(descriptor, 0)
            if descriptor in self._heard or count < finished:  # fewer: it is another connection
                finished = count
            received[descriptor] = finished
            if count - finished > self._max_unfinished:
                suspects.add(descriptor)
                if descriptor in self._suspects:
                    self.end(descriptor, f"{count - finished} bytes arrived without a message")
        self._finished, self._suspects = received, suspects
        self._heard.clear()
