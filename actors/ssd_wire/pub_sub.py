"""The sockets for weights: one publisher, and subscribers that receive the newest only.

A subscriber may send a publisher any number of topics, and ZeroMQ keeps them all. So `Publisher`
limits their length, and ends the connections of peers that send many.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

import zmq

from ssd_wire.guard.connection_guard import ConnectionGuard
from ssd_wire.security.curve import Options
from ssd_wire.sockets import NO_OPTIONS, Client, Socket

MAX_SUBSCRIPTION_BYTES = 512  # as much as a handshake with keys needs; our topic is empty
MAX_TOPICS = 100  # of one connection, other than our own

MAX_READ = 1000  # topics that are read before other work goes on

_OWN_TOPIC = b"\x01"  # the message that subscribes to the empty topic
_UNSUBSCRIBED = b"\x00"  # how messages begin that end subscriptions
_NO_WAIT = int(zmq.NOBLOCK)


class Publisher(Socket):
    """Sends one-frame messages to all subscribers.

    Args:
        endpoint: Where to bind.
        security: What `SocketSecurity.server_options` gives.

    Attributes:
        guard: Ends connections that flood this socket.
    """

    def __init__(self, endpoint: str, security: Options = NO_OPTIONS) -> None:
        options: Options = {
            zmq.SNDHWM: 2,  # do not queue old weights for a stopped peer
            # With a longer queue, ZeroMQ would go on reading topics as long as they arrive.
            zmq.RCVHWM: 2,
            zmq.MAXMSGSIZE: MAX_SUBSCRIPTION_BYTES,
        }
        # As a PUB socket, but it also receives each topic that nobody had subscribed to before.
        super().__init__(zmq.XPUB, {**options, **security})
        self.endpoint = self.bind(endpoint)
        self.guard = ConnectionGuard(self.endpoint)
        self._topics: Counter[int] = Counter()  # by the descriptors of connections

    def publish(self, frame: bytes) -> None:
        """Send to all subscribers; each keeps only the newest."""
        self.read_topics()
        self.zmq_socket.send(frame, _NO_WAIT)

    def read_topics(self) -> None:
        """Read new topics; end connections that have too many. To be called often."""
        for _ in range(MAX_READ):
            if not self._is_readable():
                break
            topic = self.zmq_socket.recv(_NO_WAIT, copy=False)
            if not topic.bytes.startswith(_UNSUBSCRIBED) and topic.bytes != _OWN_TOPIC:
                self._count(int(topic.get(zmq.SRCFD)))

    def close(self) -> None:
        """Close at once."""
        self.guard.close()
        super().close()

    def reopen(self) -> None:
        """Close all connections, and bind again."""
        self.zmq_socket.close(linger=0)
        self._bind_again(self.endpoint)
        self._topics.clear()
        self.guard.bound_again()

    def _count(self, descriptor: int) -> None:
        self._topics[descriptor] += 1
        if self._topics[descriptor] > MAX_TOPICS:
            del self._topics[descriptor]
            self.guard.end(descriptor, "too many subscriptions")


class Subscriber(Client):
    """Receives the newest message of a publisher and drops older ones."""

    kind = zmq.SUB
    kind_options: ClassVar[Options] = {zmq.CONFLATE: 1, zmq.SUBSCRIBE: b""}

    def newest(self) -> bytes | None:
        """The newest frame since the last call; None if there is none."""
        return self.zmq_socket.recv(_NO_WAIT) if self._is_readable() else None
