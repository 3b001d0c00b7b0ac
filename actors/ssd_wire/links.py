"""Sockets with the options this system needs. No send blocks.

A send that is refused is dropped and counted. A blocking send would let one stopped peer freeze a
server for everyone. What is dropped here is healed by the protocol, in which whoever waits asks
again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import zmq

from ssd_wire.codec import LARGEST_FRAME, Frame, encode
from ssd_wire.endpoints import check_endpoint, hold_endpoint
from ssd_wire.errors import EndpointError
from ssd_wire.messages import Message
from ssd_wire.stop import Stop

# As plain numbers: pyzmq's own names are enumerations, and joining two costs more than a send.
_NOW = int(zmq.NOBLOCK)
_MORE_NOW = int(zmq.NOBLOCK) | int(zmq.SNDMORE)
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)

QUEUED_MESSAGES = 64  # per peer and direction; a healthy peer never has so many on their way
HEARTBEAT_MS = 5_000
HEARTBEAT_TIMEOUT_MS = 60_000  # longer than the largest message takes, or a process is stopped
CONNECT_TIMEOUT_MS = 2_000
RECONNECT_MS = (100, 2_000)


class Link:
    """A socket that is polled, read and written by one thread."""

    def __init__(self, kind: int) -> None:
        self.dropped = 0
        self._lock: IO[bytes] | None = None
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        options = {
            zmq.LINGER: 0,
            zmq.SNDHWM: QUEUED_MESSAGES,
            zmq.RCVHWM: QUEUED_MESSAGES,
            zmq.MAXMSGSIZE: LARGEST_FRAME,
            zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
            zmq.HEARTBEAT_TIMEOUT: HEARTBEAT_TIMEOUT_MS,
            zmq.CONNECT_TIMEOUT: CONNECT_TIMEOUT_MS,
            zmq.RECONNECT_IVL: RECONNECT_MS[0],
            zmq.RECONNECT_IVL_MAX: RECONNECT_MS[1],
        }
        for option, value in options.items():
            self.socket.setsockopt(option, value)

    def bind(self, endpoint: str) -> str:
        """Bind, and tell the endpoint really bound (port 0 or * becomes a number).

        Raises:
            EndpointError: when the endpoint is unusable or another process has it.
        """
        with self._attaching(endpoint):
            self._lock = hold_endpoint(endpoint)
            self.socket.bind(endpoint)
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def connect(self, endpoint: str) -> None:
        """Connect, now or as soon as somebody binds there.

        Raises:
            EndpointError: when the endpoint is unusable.
        """
        with self._attaching(endpoint):
            self.socket.connect(endpoint)

    def close(self) -> None:
        """Close at once; drain first what must arrive."""
        self.socket.close(linger=0)
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def _attaching(self, endpoint: str) -> Iterator[None]:
        try:
            self.socket.setsockopt(zmq.IPV6, "[" in check_endpoint(endpoint))
            yield
        except zmq.ZMQError as fault:
            self.close()
            raise EndpointError(f"{endpoint}: cannot be used: {fault}") from fault
        except EndpointError:
            self.close()
            raise

    def _send(self, frames: Sequence[Frame]) -> bool:
        *most, last = frames
        try:
            for frame in most:
                self.socket.send(frame, _MORE_NOW)
            self.socket.send(last, _NOW)
        except zmq.ZMQError as fault:
            if fault.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            self.dropped += 1
            return False
        return True

    def _receive(self) -> Iterator[list[bytes]]:
        while self._is_readable():
            yield self.socket.recv_multipart(_NOW)

    def _is_readable(self) -> bool:
        """Whether a message is there; an exception that says no costs twice as much."""
        events: int = self.socket.get(_EVENTS)  # type: ignore[assignment]  # bytes are for other options
        return bool(events & _READABLE)


class Router(Link):
    """The serving end: knows its peers by the identities they chose."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.endpoint = self.bind(endpoint)

    def send(self, peer: bytes, message: Message) -> bool:
        """Send without waiting; false when the peer is gone or its queue is full."""
        return self._send([peer, *encode(message)])

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All that has arrived: the peer's identity and its frames."""
        for peer, *frames in self._receive():
            yield peer, frames


class Dealer(Link):
    """The asking end of one server.

    Args:
        endpoint: Where the server is, or will be.
        identity: 1 to 255 bytes, unique to this process for ever.
    """

    def __init__(self, endpoint: str, identity: bytes) -> None:
        super().__init__(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, identity)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.connect(endpoint)

    def send(self, frames: Sequence[Frame]) -> bool:
        """Send encoded frames without waiting; false when there is no server, or it is too busy."""
        return self._send(frames)

    def receive(self) -> Iterator[list[bytes]]:
        """All that has arrived."""
        return self._receive()


class Publisher(Link):
    """Sends one-frame news to whoever listens."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(zmq.PUB)
        self.socket.setsockopt(zmq.SNDHWM, 2)  # a stopped subscriber must not hoard old weights
        self.endpoint = self.bind(endpoint)

    def publish(self, frame: bytes) -> None:
        """Send to all subscribers; each keeps only the newest."""
        self.socket.send(frame, flags=zmq.NOBLOCK)


class Subscriber(Link):
    """Hears the newest one-frame news, and nothing older."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(zmq.SUB)
        self.socket.setsockopt(zmq.CONFLATE, 1)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.connect(endpoint)

    def newest(self) -> bytes | None:
        """The newest frame since the last call, if there is one."""
        return self.socket.recv(_NOW) if self._is_readable() else None


class Waiting:
    """Waits for several links at once, and for the word to stop."""

    def __init__(self, stop: Stop, links: Sequence[Link]) -> None:
        self._stop = stop
        self._poller = zmq.Poller()
        self._watching = stop.descriptors
        for descriptor in self._watching:
            self._poller.register(descriptor, zmq.POLLIN)
        for link in links:
            self._poller.register(link.socket, zmq.POLLIN)

    def wait(self, seconds: float) -> None:
        """Return when something arrived, when asked to stop, or after this long."""
        self._poller.poll(max(0, math.ceil(seconds * 1000)))
        if self._watching and self._stop.look():
            for descriptor in self._watching:  # heard; from now on only links wake us
                self._poller.unregister(descriptor)
            self._watching = ()
