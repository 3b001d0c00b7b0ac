"""Ends connections that flood a server.

ZeroMQ receives as fast as a peer can send, and keeps all parts of a message until the last one has
arrived, without a limit. So a server ends a connection over which

- more messages a second arrive than a working peer ever sends that lead nowhere: those it answers
  with Seat, Welcome or Refused, and those that arrive after it refused the peer for good;
- more has arrived since the last complete message than ZeroMQ would queue in complete ones.

Then it accepts no new connections for a while, see `NewConnections`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from ssd_wire.guard.memory_watch import FREED_SECONDS, return_freed_memory
from ssd_wire.guard.new_connections import NewConnections
from ssd_wire.guard.tcp import shut_down
from ssd_wire.guard.unfinished import MAX_UNFINISHED, UnfinishedMessages

MAX_USELESS = 200  # messages per second of a connection that lead nowhere
IGNORE_SECONDS = 1.0  # after refusing a peer for good, its messages are dropped unread for so long
MAX_IGNORED = 1024  # connections
CHECK_SECONDS = 0.25
CHECK_SHARE = 0.02  # of the time, at most, for these checks

_log = logging.getLogger(__name__)


class ConnectionGuard:
    """Watches the connections of one bound socket.

    How much has arrived is checked in a thread of its own: the socket's thread may be busy. Only
    tcp endpoints can be checked so.

    Args:
        endpoint: Where the socket is bound.
        max_unfinished: Bytes of a connection since its last complete message.
        clock: Returns seconds.
        end_connection: Called with the descriptor of a connection.

    Attributes:
        ended: Connections ended so far.
    """

    def __init__(
        self,
        endpoint: str,
        max_unfinished: int = MAX_UNFINISHED,
        clock: Callable[[], float] = time.monotonic,
        end_connection: Callable[[int], None] = shut_down,
    ) -> None:
        self.ended = 0
        port = int(endpoint.rpartition(":")[2]) if endpoint.startswith("tcp://") else None
        self._clock = clock
        self._end_connection = end_connection
        self._ignored_until: dict[bytes, float] = {}  # oldest first
        self._useless: Counter[bytes] = Counter()
        self._next_second = clock() + 1.0
        self._new_connections = NewConnections(port, clock)
        self._lock = threading.Lock()  # of new connections and the count of ended ones
        self._closed = threading.Event()
        self._unfinished: UnfinishedMessages | None = None
        if port is not None:
            self._unfinished = UnfinishedMessages(port, max_unfinished)
            threading.Thread(target=self._check_often, name="guard", daemon=True).start()

    def admits(self, peer: bytes, descriptor: int) -> bool:
        """Whether to read a message of this connection. Each message has to be asked for.

        Args:
            peer: The connection's id. No other ever has the same, unlike its descriptor.
            descriptor: Of its socket.
        """
        if self._unfinished is not None:
            self._unfinished.heard(descriptor)
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
        self._end_connection(descriptor)
        with self._lock:
            self.ended += 1
            self._new_connections.pause()

    def bound_again(self) -> None:
        """The socket was closed and bound again, and so accepts connections."""
        with self._lock:
            self._new_connections.bound_again()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _check_often(self) -> None:
        seconds, trim_at = CHECK_SECONDS, float("inf")
        while not self._closed.wait(seconds):
            began = self._clock()
            if self._check():
                trim_at = began + FREED_SECONDS
            if began >= trim_at:
                return_freed_memory()
                trim_at = float("inf")
            seconds = max(CHECK_SECONDS, (self._clock() - began) / CHECK_SHARE)

    def _check(self) -> bool:
        """Do what is due; whether a connection was ended."""
        with self._lock:
            self._new_connections.update()
        over_limit = list(self._unfinished.over_limit()) if self._unfinished else []
        for descriptor, count in over_limit:
            self.end(descriptor, f"{count} bytes arrived without a message")
        return bool(over_limit)
