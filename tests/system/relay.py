"""A relay between an actor process and a server, which keeps every byte that reaches the actor."""

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
    """Listens on a port of its own; whoever connects is connected to the target.

    Args:
        target: `tcp://host:port` of the server.

    Attributes:
        heard: What reached those who connected: one array of bytes for each connection.
    """

    target: str
    heard: list[bytearray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """Where the actor connects."""
        return f"tcp://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def cut(self) -> None:
        """Break every connection; who connects again is let through."""
        for end in self._ends:
            with suppress(OSError):  # it may be gone already
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def messages(self) -> Iterator[list[bytes]]:
        """The frames of every whole message that reached the actor."""
        for stream in self.heard:
            message: list[bytes] = []
            for flags, body in frames(bytes(stream)):
                if flags & COMMAND:
                    continue
                message.append(body)
                if not flags & MORE:
                    yield message
                    message = []

    def commands(self) -> set[bytes]:
        """The names of all commands of ZeroMQ's own that reached the actor."""
        every = (one for stream in self.heard for one in frames(bytes(stream)))
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
            self.heard.append(kept)
            for source, sink, keep in ((actor, server, None), (server, actor, kept)):
                threading.Thread(target=_carry, args=(source, sink, keep), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, keep: bytearray | None) -> None:
    try:
        while data := source.recv(1 << 16):
            if keep is not None:
                keep += data
            sink.sendall(data)
    except OSError:  # one of them is gone
        pass
    for end in (source, sink):
        end.close()


def frames(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Flags and body of each whole frame in what one end of a connection sent."""
    at = GREETING
    while at + 2 <= len(stream):
        flags, begin = stream[at], at + (9 if stream[at] & LONG else 2)
        size = int.from_bytes(stream[at + 1 : begin], "big")
        if begin + size > len(stream):
            return
        yield flags, stream[begin : begin + size]
        at = begin + size
