"""The sockets for weights: one publisher, and subscribers that receive the newest only.

A subscriber may send a publisher any number of topics, and ZeroMQ keeps them all. So `Publisher`
limits their length, and closes for a while when there are too many.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import ClassVar

import zmq

from ssd_wire.security.curve import Options
from ssd_wire.sockets import NO_OPTIONS, Client, Socket

MAX_SUBSCRIPTION_BYTES = 512  # as much as a handshake with keys needs; our topic is empty
MAX_TOPICS = 1000  # that others than our actors may subscribe to
CLOSED_SECONDS = 5.0  # how long a publisher with too many topics is closed

_OWN_TOPIC = (b"\x01", b"\x00")  # messages: subscribed to the empty topic, unsubscribed from it
_NO_WAIT = int(zmq.NOBLOCK)

_log = logging.getLogger(__name__)


class Publisher(Socket):
    """Sends one-frame messages to all subscribers.

    While it is closed, its messages are lost.

    Args:
        endpoint: Where to bind.
        security: What `SocketSecurity.server_options` gives.
        clock: Returns seconds.
    """

    def __init__(
        self,
        endpoint: str,
        security: Options = NO_OPTIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options: Options = {
            zmq.SNDHWM: 2,  # do not queue old weights for a stopped peer
            # With a longer queue, ZeroMQ would go on reading topics as long as they arrive.
            zmq.RCVHWM: 2,
            zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
        }
        # As a PUB socket, but it also receives each topic that nobody had subscribed to before.
        super().__init__(zmq.XPUB, {**options, **security})
        self.endpoint = self.bind(endpoint)
        self._clock = clock
        self._topics = 0
        self._closed_until: float | None = None

    def publish(self, frame: bytes) -> None:
        """Send to all subscribers; each keeps only the newest."""
        self._reopen_if_due()
        self._count_topics()
        if self._closed_until is None:
            self.zmq_socket.send(frame, _NO_WAIT)

    def reopen(self) -> None:
        """Close all connections, and bind again."""
        self.zmq_socket.close(linger=0)
        self._bind_again(self.endpoint)
        self._topics = 0

    def _count_topics(self) -> None:
        """Read the new topics; close when there are too many."""
        while self._closed_until is None and self._is_readable():
            self._topics += self.zmq_socket.recv(_NO_WAIT) not in _OWN_TOPIC
            if self._topics > MAX_TOPICS:
                _log.warning("too many subscriptions: closed for %d seconds", CLOSED_SECONDS)
                self.zmq_socket.close(linger=0)
                self._closed_until = self._clock() + CLOSED_SECONDS

    def _reopen_if_due(self) -> None:
        if self._closed_until is not None and self._clock() >= self._closed_until:
            self._closed_until = None
            self.reopen()


class Subscriber(Client):
    """Receives the newest message of a publisher and drops older ones."""

    kind = zmq.SUB
    kind_options: ClassVar[Options] = {zmq.CONFLATE: 1, zmq.SUBSCRIBE: b""}

    def newest(self) -> bytes | None:
        """The newest frame since the last call; None if there is none."""
        return self.zmq_socket.recv(_NO_WAIT) if self._is_readable() else None
