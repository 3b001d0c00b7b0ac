"""A TCP relay between an actor process and a server that records every byte sent to the actor."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

GREETING = 64  # bytes that begin a ZeroMQ connection; then frames: flags, size, body
MORE, LONG, COMMAND = 1, 2, 4


@dataclass
class Relay:
    """Listens on its own port, and forwards connections to the target.

    Args:
        target: `tcp://host:port` of the server.

    Attributes:
        received: The bytes that the clients received, for each connection.
    """

    target: str
    received: list[bytearray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """The address for the actor to connect to."""
        return f"tcp://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        self._listening.close()

    def cut(self) -> None:
        """Break every connection; new connections are accepted."""
        for end in self._ends:
            with suppress(OSError):  # it may be closed already
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def messages(self) -> Iterator[list[bytes]]:
        """The frames of every whole message that reached the actor."""
        for stream in self.received:
            message: list[bytes] = []
            for flags, body in frames(bytes(stream)):
                if flags & COMMAND:
                    continue
                message.append(body)
                if not flags & MORE:
                    yield message
                    message = []

    def commands(self) -> set[bytes]:
        """The names of all ZeroMQ commands that reached the actor."""
        every = (one for stream in self.received for one in frames(bytes(stream)))
        return {body[1 : 1 + body[0]] for flags, body in every if flags & COMMAND}

    def _accept(self) -> None:
        host, _, port = self.target.removeprefix("tcp://").rpartition(":")
        while True:
            try:
                actor, _ = self._listening.accept()
            except OSError:  # closed
                return
            server = socket.create_connection((host, int(port)))
            kept = bytearray()
            self._ends += (actor, server)
            self.received.append(kept)
            for source, sink, keep in ((actor, server, None), (server, actor, kept)):
                threading.Thread(target=_forward, args=(source, sink, keep), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket, keep: bytearray | None) -> None:
    try:
        while data := source.recv(1 << 16):
            if keep is not None:
                keep += data
            sink.sendall(data)
    except OSError:  # one of them is closed
        pass
    for end in (source, sink):
        end.close()


def frames(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Flags and body of each complete frame in the bytes that one end of a connection has sent."""
    at = GREETING
    while at + 2 <= len(stream):
        flags, begin = stream[at], at + (9 if stream[at] & LONG else 2)
        size = int.from_bytes(stream[at + 1 : begin], "big")
        if begin + size > len(stream):
            return
        yield flags, stream[begin : begin + size]
        at = begin + size
