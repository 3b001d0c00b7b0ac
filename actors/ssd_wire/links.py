"""Sockets with the options this system needs. No send blocks.

A send that is refused is dropped and counted. A blocking send would let one stopped peer freeze a
server for everyone. What is dropped here is healed by the protocol, in which whoever waits asks
again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO

import zmq

from ssd_wire.codec import LARGEST_FRAME, Frame, encode
from ssd_wire.endpoints import check_endpoint, hold_endpoint
from ssd_wire.errors import EndpointError
from ssd_wire.messages import Message
from ssd_wire.security.curve import Options, SocketSecurity
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


_OPTIONS: Mapping[int, int | bytes] = {
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

PLAIN = SocketSecurity(None)
NO_OPTIONS: Options = {}


class Link:
    """A socket that is polled, read and written by one thread.

    Args:
        kind: The socket's, as ZeroMQ numbers it.
        options: Of this kind, beside those that all have.
    """

    def __init__(self, kind: int, options: Mapping[int, int | bytes]) -> None:
        self.dropped = 0
        self._lock: IO[bytes] | None = None
        self._kind = kind
        self._options = {**_OPTIONS, **options}
        self.socket = self._make_socket()

    def _make_socket(self) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(self._kind)
        for option, value in self._options.items():
            socket.setsockopt(option, value)
        return socket

    def bind(self, endpoint: str) -> str:
        """Bind, and tell the endpoint really bound (port 0 or * becomes a number).

        Raises:
            EndpointError: when the endpoint is unusable or another process has it.
        """
        with self._attaching(endpoint):
            self._lock = hold_endpoint(endpoint)
            self.socket.bind(endpoint)
        return self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def close(self) -> None:
        """Close at once; drain first what must arrive."""
        self.socket.close(linger=0)
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def _attaching(self, endpoint: str) -> Iterator[None]:
        try:
            encrypted = bool({zmq.CURVE_SERVER, zmq.CURVE_SERVERKEY} & self._options.keys())
            self.socket.setsockopt(zmq.IPV6, "[" in check_endpoint(endpoint, encrypted=encrypted))
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
    """The serving end. It numbers its connections; whose they are, only messages tell.

    A peer that chooses a number for itself, against the protocol, takes it over from whoever had
    it: without handover that would abort this process, inside libzmq.

    Args:
        endpoint: Where to bind.
        security: Of this process's sockets.
        allowed: Identities that may connect, where there are keys.

    Attributes:
        sender: Who sent the message received last, by its key; None where there are no keys.
    """

    def __init__(
        self, endpoint: str, security: SocketSecurity = PLAIN, allowed: Collection[str] = ()
    ) -> None:
        options: Options = {zmq.ROUTER_MANDATORY: 1, zmq.ROUTER_HANDOVER: 1}
        encrypted = security.server_options(allowed)
        super().__init__(zmq.ROUTER, {**options, **encrypted})
        self.sender: str | None = None
        self._identity_of = security.identity_of if encrypted else None
        self.endpoint = self.bind(endpoint)

    def send(self, peer: bytes, message: Message) -> bool:
        """Send without waiting; false when the peer is gone or its queue is full."""
        return self._send([peer, *encode(message)])

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All that has arrived: the number of the peer's connection, and its frames."""
        if self._identity_of is None:
            for peer, *frames in self._receive():
                yield peer, frames
            return
        while self._is_readable():
            parts = self.socket.recv_multipart(_NOW, copy=False)
            self.sender = self._identity_of(str(parts[-1].get("User-Id")))
            peer, *frames = (part.bytes for part in parts)
            yield peer, frames


class Client(Link):
    """The end that connects, now or as soon as somebody binds there.

    Args:
        kind, options: As for `Link`.
        endpoint: Where the server is, or will be.

    Raises:
        EndpointError: when the endpoint is unusable.
    """

    def __init__(self, kind: int, options: Mapping[int, int | bytes], endpoint: str) -> None:
        super().__init__(kind, options)
        self._endpoint = endpoint
        self._connect()

    def reopen(self) -> None:
        """Give up the connection, with all that is queued on it, and make another."""
        self.socket.close(linger=0)
        self.socket = self._make_socket()
        self._connect()

    def _connect(self) -> None:
        with self._attaching(self._endpoint):
            self.socket.connect(self._endpoint)


class Dealer(Client):
    """The asking end of one server.

    Args:
        endpoint: Where the server is, or will be.
        security: What `SocketSecurity.client_options` gives for that server.
    """

    def __init__(self, endpoint: str, security: Options = NO_OPTIONS) -> None:
        super().__init__(zmq.DEALER, {zmq.IMMEDIATE: 1, **security}, endpoint)

    def send(self, frames: Sequence[Frame]) -> bool:
        """Send encoded frames without waiting; false when there is no server, or it is too busy."""
        return self._send(frames)

    def receive(self) -> Iterator[list[bytes]]:
        """All that has arrived."""
        return self._receive()


class Publisher(Link):
    """Sends one-frame news to whoever listens.

    Args:
        endpoint: Where to bind.
        security: What `SocketSecurity.server_options` gives.
    """

    def __init__(self, endpoint: str, security: Options = NO_OPTIONS) -> None:
        # A stopped subscriber must hoard no old weights.
        super().__init__(zmq.PUB, {zmq.SNDHWM: 2, **security})
        self.endpoint = self.bind(endpoint)

    def publish(self, frame: bytes) -> None:
        """Send to all subscribers; each keeps only the newest."""
        self.socket.send(frame, flags=zmq.NOBLOCK)


class Subscriber(Client):
    """Hears the newest one-frame news, and nothing older.

    Args:
        endpoint: Where the publisher is, or will be.
        security: What `SocketSecurity.client_options` gives for its server.
    """

    def __init__(self, endpoint: str, security: Options = NO_OPTIONS) -> None:
        super().__init__(zmq.SUB, {zmq.CONFLATE: 1, zmq.SUBSCRIBE: b"", **security}, endpoint)

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
        self._links = [(link, self._register(link)) for link in links]

    def wait(self, seconds: float) -> None:
        """Return when something arrived, when asked to stop, or after this long."""
        for number, (link, socket) in enumerate(self._links):
            if link.socket is not socket:  # reopened
                self._poller.unregister(socket)
                self._links[number] = (link, self._register(link))
        self._poller.poll(max(0, math.ceil(seconds * 1000)))
        if self._watching and self._stop.look():
            for descriptor in self._watching:  # heard; from now on only links wake us
                self._poller.unregister(descriptor)
            self._watching = ()

    def _register(self, link: Link) -> zmq.Socket[bytes]:
        self._poller.register(link.socket, zmq.POLLIN)
        return link.socket
