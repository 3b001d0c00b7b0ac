"""ZMTP 3.0 over a plain TCP connection: what ZeroMQ's own sockets do not let an attacker do."""

import socket
import struct

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_COMMAND, _LONG, _MORE = 4, 2, 1  # flags


def connect(port: int, kind: bytes = b"DEALER") -> socket.socket:
    """A connection after its handshake, without encryption."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(_GREETING)
    _receive(connection, len(_GREETING))
    ready = b"\x05READY" + _property(b"Socket-Type", kind) + _property(b"Identity", b"")
    connection.sendall(bytes([_COMMAND, len(ready)]) + ready)
    _receive(connection, _receive(connection, 2)[1])
    return connection


def frame(content: bytes, *, more: bool = False) -> bytes:
    """The bytes of one frame."""
    if len(content) < 256:
        return bytes([_MORE * more, len(content)]) + content
    return bytes([_MORE * more | _LONG]) + struct.pack(">Q", len(content)) + content


def message(frames: list[bytes]) -> bytes:
    """The bytes of a message."""
    *most, last = frames
    return b"".join(frame(one, more=True) for one in most) + frame(last)


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def _receive(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            raise ConnectionError("closed during the handshake")
        received += part
    return received
