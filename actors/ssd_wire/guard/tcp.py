"""The TCP connections of this process, which belong to ZeroMQ: how much arrived, and ends of them.

ZeroMQ tells the file descriptor of a message's connection, and no more. The rest is asked from
Linux. A descriptor may be closed and used anew at any time; then another connection is ended, which
its peer makes good by connecting again.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")
_BYTES_RECEIVED = 128  # where Linux's struct tcp_info has tcpi_bytes_received, 64 bits
_INFO_BYTES = _BYTES_RECEIVED + 8
_ATTACH_FILTER, _DETACH_FILTER = 26, 27  # Linux's SO_ATTACH_FILTER and SO_DETACH_FILTER
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: return 0
_DROP_FILTER = struct.pack("@HP", 1, ctypes.addressof(_DROP_ALL))  # Linux's struct sock_fprog


def shut_down(descriptor: int) -> None:
    """End a connection. ZeroMQ notices it, and frees what it kept."""
    with suppress(OSError), _opened(descriptor) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def bytes_received(port: int) -> dict[int, int]:
    """Bytes that have arrived over each connection to a port of this process, by descriptor.

    It is empty where the system does not tell.
    """
    received = {}
    for descriptor in _sockets_at(port, listening=False):
        with suppress(OSError, struct.error), _opened(descriptor) as connection:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            [received[descriptor]] = struct.unpack_from("=Q", info, _BYTES_RECEIVED)
    return received


def accept_connections(port: int, *, accepted: bool) -> None:
    """Have Linux drop all that arrives at a listening socket, so that nobody new connects; or not.

    Connections that exist go on. Peers try again to connect.
    """
    for descriptor in _sockets_at(port, listening=True):
        with suppress(OSError), _opened(descriptor) as listener:
            if accepted:
                listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)
            else:
                listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, _DROP_FILTER)


def _sockets_at(port: int, *, listening: bool) -> list[int]:
    """Descriptors of this process's TCP sockets at a port of its own."""
    return [one for one in _all_sockets() if _is_at(one, port, listening)]


def _all_sockets() -> Iterator[int]:
    try:
        paths = list(_DESCRIPTORS.iterdir())
    except FileNotFoundError:  # another system
        return
    for path in paths:
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(path.name)).st_mode):
                yield int(path.name)


def _is_at(descriptor: int, port: int, listening: bool) -> bool:
    with suppress(OSError), _opened(descriptor) as one:
        return (
            one.family in (socket.AF_INET, socket.AF_INET6)
            and one.getsockname()[1] == port
            and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) == listening
        )
    return False


@contextmanager
def _opened(descriptor: int) -> Iterator[socket.socket]:
    """Another descriptor of a socket.

    Raises:
        OSError: when there is no such socket (any more).
    """
    with socket.socket(fileno=os.dup(descriptor)) as opened:
        yield opened
