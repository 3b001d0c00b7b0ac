"""Breaks connections of other processes, without their cooperation.

A duplicate of the socket's descriptor is taken out of the process, and shut down: for both ends the
connection is over, as if the network had cut it. Needs the rights of a debugger, as root has them,
and the tool `ss` for ipc.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from contextlib import closing, suppress
from pathlib import Path

_PIDFD_GETFD = 438  # system call
_CONNECTED = "01"  # in /proc/net/tcp


def zmq_connections(pid: int) -> list[int]:
    """Descriptors of a process's connections to other processes of its run, by ipc or tcp.

    Listening sockets are not among them. By tcp, connections to its metrics are.
    """
    wanted = _ipc_inodes() | _tcp_inodes(pid)
    return sorted(fd for fd, inode in _sockets(pid).items() if inode in wanted)


def cut(pid: int, descriptor: int) -> None:
    """Break a connection for both ends.

    Raises:
        OSError: the process or the connection has ended, or we may not.
    """
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        duplicate = libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
        if duplicate < 0:
            raise OSError(ctypes.get_errno(), f"pidfd_getfd({pid}, {descriptor})")
    finally:
        os.close(process)
    with closing(socket.socket(fileno=duplicate)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def unavailable() -> str:
    """Why connections cannot be cut here; empty if they can."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.Popen(["sleep", "60"], stdin=theirs)
        try:
            cut(child.pid, 0)
            _ipc_inodes()
        except OSError as fault:
            return f"connections cannot be cut: {fault}"
        finally:
            child.kill()
            child.wait()
    return ""


def _sockets(pid: int) -> dict[int, str]:
    """Descriptor → inode, of all sockets of a process."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            target = str(entry.readlink())
            if target.startswith("socket:["):
                found[int(entry.name)] = target[8:-1]
    return found


def _ipc_inodes() -> set[str]:
    """Inodes of both ends of all connections to a socket with a path."""
    listing = subprocess.check_output(["ss", "-xH", "state", "connected"], text=True)
    found = set()
    for line in listing.splitlines():
        words = line.split()
        local, inode, peer = words[-4], words[-3], words[-1]
        if local.startswith("/"):
            found |= {inode, peer}
    return found


def _tcp_inodes(pid: int) -> set[str]:
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == _CONNECTED}
