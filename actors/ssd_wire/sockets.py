"""ZeroMQ sockets with the options that the protocol needs. No send blocks.

A message that ZeroMQ does not accept at once is dropped and counted. With blocking sends, one
stopped peer could freeze a server for everyone. The protocol recovers by sending messages again
that got no answer.

No socket accepts a frame much larger than the largest of its run. A message with more frames than
any message has is cut off as it is read, and so is invalid. Parts of a message that is never
completed stay in ZeroMQ. Servers end connections of peers that flood them, see `ssd_wire.guard`;
when a process needs too much memory all the same, `Poller` reopens its sockets.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, ClassVar

import zmq

from ssd_wire.codec import MAX_FRAME_BYTES, MAX_FRAMES, Frame, encode
from ssd_wire.endpoints import check_endpoint, lock_endpoint
from ssd_wire.errors import EndpointError
from ssd_wire.guard.connection_guard import ConnectionGuard
from ssd_wire.guard.memory_watch import MemoryWatch
from ssd_wire.guard.unfinished import MAX_UNFINISHED
from ssd_wire.messages import Message, Refused, Seat, Welcome
from ssd_wire.process.stop import Stop
from ssd_wire.security.curve import Options, SocketSecurity

# As plain ints: pyzmq's constants are enums, and combining two of them costs more than a send.
_NO_WAIT = int(zmq.NOBLOCK)
_NO_WAIT_MORE = int(zmq.NOBLOCK) | int(zmq.SNDMORE)
_EVENTS, _READABLE = int(zmq.EVENTS), int(zmq.POLLIN)
_MORE = int(zmq.RCVMORE)
_MAX_PARTS = MAX_FRAMES + 1  # a message, and a frame too many

QUEUED_MESSAGES = 64  # per peer and direction; more than a working peer ever has in flight
HEARTBEAT_MS = 5_000
HEARTBEAT_TIMEOUT_MS = 60_000  # longer than the largest message takes to arrive
CONNECT_TIMEOUT_MS = 2_000
RECONNECT_MS = (100, 2_000)
SPARE_FRAME_BYTES = 1 << 20  # the limit of a frame is at least this, however small the run's are
MAX_UNREAD = 256  # messages dropped unread before other work goes on
MAX_DESCRIPTORS = 4096  # of connections that are remembered
REBIND_SECONDS = 5.0  # longest wait until a closed socket's port is free

_OPTIONS: Mapping[int, int | bytes] = {
    zmq.LINGER: 0,
    zmq.SNDHWM: QUEUED_MESSAGES,
    zmq.RCVHWM: QUEUED_MESSAGES,
    zmq.MAXMSGSIZE: MAX_FRAME_BYTES,
    zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
    zmq.HEARTBEAT_TIMEOUT: HEARTBEAT_TIMEOUT_MS,
    zmq.CONNECT_TIMEOUT: CONNECT_TIMEOUT_MS,
    zmq.RECONNECT_IVL: RECONNECT_MS[0],
    zmq.RECONNECT_IVL_MAX: RECONNECT_MS[1],
}

PLAIN = SocketSecurity(None)
NO_OPTIONS: Options = {}

_log = logging.getLogger(__name__)


def max_frame_bytes(largest: int) -> int:
    """The longest frame that a socket accepts.

    A longer one closes the connection, which tells the peer nothing. So there is some room for
    frames of another run, which are refused with the reason.

    Args:
        largest: Bytes of the largest frame of the run's messages.
    """
    return min(MAX_FRAME_BYTES, max(SPARE_FRAME_BYTES, 2 * largest))


class Socket:
    """A ZeroMQ socket. Only one thread may use it.

    Args:
        kind: The ZeroMQ socket type.
        options: Socket options in addition to those that all sockets have, or in their place.

    Attributes:
        dropped: Messages that ZeroMQ did not accept.
        zmq_socket: The socket itself, for polling.
    """

    def __init__(self, kind: int, options: Mapping[int, int | bytes]) -> None:
        self.dropped = 0
        self._lock: IO[bytes] | None = None
        self._kind = kind
        self._options = {**_OPTIONS, **options}
        self.zmq_socket = self._make_zmq_socket()

    def _make_zmq_socket(self) -> zmq.Socket[bytes]:
        zmq_socket: zmq.Socket[bytes] = zmq.Context.instance().socket(self._kind)
        for option, value in self._options.items():
            zmq_socket.setsockopt(option, value)
        return zmq_socket

    def bind(self, endpoint: str) -> str:
        """Bind; return the actual endpoint, in which port 0 or * is replaced by the real port.

        Raises:
            EndpointError: when the endpoint is unusable or another process has it.
        """
        with self._closing_on_error(endpoint):
            self._lock = lock_endpoint(endpoint)
            self.zmq_socket.bind(endpoint)
        return self.zmq_socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def reopen(self) -> None:
        """Close all connections, drop everything queued on them, and start again."""
        raise NotImplementedError

    def _bind_again(self, endpoint: str) -> None:
        """Bind a new socket where a closed one was bound, as soon as the system allows it.

        Raises:
            EndpointError: when the endpoint is not free in time.
        """
        deadline = time.monotonic() + REBIND_SECONDS
        while True:
            self.zmq_socket = self._make_zmq_socket()
            self.zmq_socket.setsockopt(zmq.IPV6, "[" in endpoint)
            try:
                self.zmq_socket.bind(endpoint)
            except zmq.ZMQError as fault:
                self.zmq_socket.close(linger=0)
                if time.monotonic() > deadline:
                    raise EndpointError(f"{endpoint}: cannot be bound again: {fault}") from fault
                time.sleep(0.01)
            else:
                return

    def close(self) -> None:
        """Close at once. Messages still queued are lost."""
        self._close()

    def _close(self) -> None:
        self.zmq_socket.close(linger=0)
        if self._lock is not None:
            self._lock.close()

    @contextmanager
    def _closing_on_error(self, endpoint: str) -> Iterator[None]:
        try:
            encrypted = bool({zmq.CURVE_SERVER, zmq.CURVE_SERVERKEY} & self._options.keys())
            checked = check_endpoint(endpoint, encrypted=encrypted)
            self.zmq_socket.setsockopt(zmq.IPV6, "[" in checked)
            yield
        except zmq.ZMQError as fault:
            self._close()
            raise EndpointError(f"{endpoint}: cannot be used: {fault}") from fault
        except EndpointError:
            self._close()
            raise

    def _send(self, frames: Sequence[Frame]) -> bool:
        *most, last = frames
        try:
            for frame in most:
                self.zmq_socket.send(frame, _NO_WAIT_MORE)
            self.zmq_socket.send(last, _NO_WAIT)
        except zmq.ZMQError as fault:
            if fault.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            self.dropped += 1
            return False
        return True

    def _receive_parts(self, *, copy: bool) -> list[Any]:
        """A message's frames, bytes if copied; of one with too many, as many as show that."""
        parts = [self.zmq_socket.recv(_NO_WAIT, copy)]
        while self.zmq_socket.get(_MORE):
            part = self.zmq_socket.recv(_NO_WAIT, copy)
            if len(parts) < _MAX_PARTS:
                parts.append(part)
        return parts

    def _is_readable(self) -> bool:
        """Whether a message has arrived. Catching EAGAIN from a receive costs twice as much."""
        events: int = self.zmq_socket.get(_EVENTS)  # type: ignore[assignment]  # bytes are for other options
        return bool(events & _READABLE)


class Router(Socket):
    """A server's socket. It assigns an id to each connection; who the peer is, messages say.

    A peer that sets a routing id of its own, against the protocol, takes the id over from the
    connection that had it. Without ROUTER_HANDOVER that would abort this process, inside libzmq.

    A peer that is refused fatally has to end. What it goes on sending over the same connection is
    dropped for a second.

    Args:
        endpoint: Where to bind.
        security: Of this process's sockets.
        allowed: Identities that may connect, where there are keys.
        largest_frame: Bytes of the largest frame that peers of the run send.
        largest_message: Bytes of the largest message that they send.

    Attributes:
        sender: Identity that sent the message received last, by its key; None without keys.
        guard: Ends connections that flood this socket.
    """

    def __init__(
        self,
        endpoint: str,
        security: SocketSecurity = PLAIN,
        allowed: Collection[str] = (),
        largest_frame: int = MAX_FRAME_BYTES,
        largest_message: int = 0,
    ) -> None:
        options: Options = {
            zmq.ROUTER_MANDATORY: 1,
            zmq.ROUTER_HANDOVER: 1,
            zmq.MAXMSGSIZE: max_frame_bytes(largest_frame),
        }
        encrypted = security.server_options(allowed)
        super().__init__(zmq.ROUTER, {**options, **encrypted})
        self.sender: str | None = None
        self._identity_of = security.identity_of if encrypted else None
        self.endpoint = self.bind(endpoint)
        queued = (QUEUED_MESSAGES + 2) * largest_message  # complete, but not read yet
        self.guard = ConnectionGuard(self.endpoint, max(MAX_UNFINISHED, queued))
        self._descriptors: dict[bytes, int] = {}  # of connections, by their ids

    def close(self) -> None:
        """Close at once. Messages still queued are lost."""
        self.guard.close()
        super().close()

    def reopen(self) -> None:
        """Close all connections, drop everything queued on them, and bind again."""
        self.zmq_socket.close(linger=0)
        self._bind_again(self.endpoint)
        self._descriptors.clear()
        self.guard.bound_again()

    def send(self, peer: bytes, message: Message) -> bool:
        """Send without waiting; false when the peer is gone or its queue is full."""
        if isinstance(message, (Refused, Seat, Welcome)) and peer in self._descriptors:
            self.guard.add_useless(peer, self._descriptors[peer])
            if isinstance(message, Refused) and message.fatal:
                self.guard.ignore(peer)
        return self._send([peer, *encode(message)])

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All messages that have arrived: the id of the peer's connection, and the frames."""
        unread = 0
        while unread < MAX_UNREAD and self._is_readable():
            peer, frames = self._receive_from_peer()
            if self.guard.admits(peer, self._descriptors[peer]):
                yield peer, frames
            else:
                unread += 1

    def _receive_from_peer(self) -> tuple[bytes, list[bytes]]:
        first = self.zmq_socket.recv(_NO_WAIT, copy=False)
        peer = first.bytes
        if peer not in self._descriptors:
            if len(self._descriptors) >= MAX_DESCRIPTORS:
                self._descriptors.clear()  # each comes back with its connection's next message
            self._descriptors[peer] = int(first.get(zmq.SRCFD))
        if self._identity_of is None:
            return peer, self._receive_parts(copy=True)
        parts = self._receive_parts(copy=False)
        self.sender = self._identity_of(str(parts[-1].get("User-Id")))
        return peer, [part.bytes for part in parts]


class Client(Socket):
    """A socket that connects, now or as soon as a server binds at the endpoint.

    Args:
        endpoint: Of the server.
        security: What `SocketSecurity.client_options` gives for that server.
        largest_frame: Bytes of the largest frame that the server sends.

    Attributes:
        kind, kind_options: The ZeroMQ socket type, and what it needs in addition to other options.

    Raises:
        EndpointError: when the endpoint is unusable.
    """

    kind: ClassVar[int]
    kind_options: ClassVar[Options]

    def __init__(
        self,
        endpoint: str,
        security: Options = NO_OPTIONS,
        largest_frame: int = MAX_FRAME_BYTES,
    ) -> None:
        limit: Options = {zmq.MAXMSGSIZE: max_frame_bytes(largest_frame)}
        super().__init__(self.kind, {**self.kind_options, **limit, **security})
        self._endpoint = endpoint
        self._connect()

    def reopen(self) -> None:
        """Close the connection, drop everything queued on it, and connect again."""
        self.zmq_socket.close(linger=0)
        self.zmq_socket = self._make_zmq_socket()
        self._connect()

    def _connect(self) -> None:
        with self._closing_on_error(self._endpoint):
            self.zmq_socket.connect(self._endpoint)


class Dealer(Client):
    """A client's socket to one server."""

    kind = zmq.DEALER
    kind_options: ClassVar[Options] = {zmq.IMMEDIATE: 1}

    def send(self, frames: Sequence[Frame]) -> bool:
        """Send encoded frames without waiting; false when not connected or the queue is full."""
        return self._send(frames)

    def receive(self) -> Iterator[list[bytes]]:
        """The frames of each message that has arrived."""
        while self._is_readable():
            yield self._receive_parts(copy=True)


class Poller:
    """Waits for messages on several sockets, or for a request to stop.

    Reopens them when this process's memory has grown too much.

    Args:
        stop: The request.
        sockets: To wait for.
        reopened: Others that are reopened together with these.
        memory: Of this process.

    Attributes:
        waited_at: When `wait` was last called, by `time.monotonic`.
    """

    def __init__(
        self,
        stop: Stop,
        sockets: Sequence[Socket],
        reopened: Sequence[Socket] = (),
        memory: MemoryWatch | None = None,
    ) -> None:
        self.waited_at = time.monotonic()
        self._stop = stop
        self._reopened = (*sockets, *reopened)
        self._memory = memory or MemoryWatch()
        self._poller = zmq.Poller()
        self._stop_descriptors = stop.descriptors
        for descriptor in self._stop_descriptors:
            self._poller.register(descriptor, zmq.POLLIN)
        self._registered = [(socket, self._register(socket)) for socket in sockets]

    def wait(self, seconds: float) -> bool:
        """Return when a message arrived or the time is over; false when asked to stop."""
        self.waited_at = time.monotonic()
        if self._memory.has_grown():
            _log.warning("this process uses too much memory: opening new connections")
            for each in self._reopened:
                each.reopen()
        for index, (socket, zmq_socket) in enumerate(self._registered):
            if socket.zmq_socket is not zmq_socket:  # reopened
                self._poller.unregister(zmq_socket)
                self._registered[index] = (socket, self._register(socket))
        self._poller.poll(max(0, math.ceil(seconds * 1000)))
        if self._stop_descriptors and self._stop.check():
            for descriptor in self._stop_descriptors:  # from now on only messages end a wait
                self._poller.unregister(descriptor)
            self._stop_descriptors = ()
        return not self._stop.requested

    def _register(self, socket: Socket) -> zmq.Socket[bytes]:
        self._poller.register(socket.zmq_socket, zmq.POLLIN)
        return socket.zmq_socket
