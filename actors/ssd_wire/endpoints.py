"""Checks endpoints, and locks those that a process binds.

Unencrypted traffic stays on this machine: ipc:// and tcp:// on a loopback address.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
from pathlib import Path
from typing import IO

from ssd_wire.errors import EndpointError

MAX_IPC_PATH_BYTES = 107  # sockaddr_un has 108 bytes, one of which is the final zero


def check_endpoint(endpoint: str, *, encrypted: bool = False) -> str:
    """Return an endpoint that can be used; ZeroMQ's own errors are less clear.

    Args:
        endpoint: The address.
        encrypted: Whether the socket encrypts and authenticates. Others must stay on this machine.

    Raises:
        EndpointError: naming what was wanted and what was found.
    """
    scheme, separator, rest = endpoint.partition("://")
    if separator and scheme == "ipc" and rest.startswith("/"):
        if len(os.fsencode(rest)) > MAX_IPC_PATH_BYTES:
            raise EndpointError(
                f"{endpoint}: wanted a path of at most {MAX_IPC_PATH_BYTES} bytes, "
                f"found {len(os.fsencode(rest))}"
            )
        return endpoint
    if separator and scheme == "tcp":
        return _check_tcp(endpoint, rest, encrypted)
    raise EndpointError(f"{endpoint}: wanted ipc:///absolute/path or tcp://address:port")


def _check_tcp(endpoint: str, rest: str, encrypted: bool) -> str:
    host, separator, port = rest.rpartition(":")
    if not separator or not (port == "*" or (port.isdecimal() and 0 <= int(port) < 65536)):
        raise EndpointError(f"{endpoint}: wanted tcp://address:port with a port of 0 to 65535 or *")
    if not encrypted and not _is_loopback(host):
        raise EndpointError(
            f"{endpoint}: wanted a loopback address such as 127.0.0.1, or --keys: without keys "
            "messages are neither encrypted nor authenticated, and must not leave this machine"
        )
    return endpoint


def _is_loopback(host: str) -> bool:
    """Whether all addresses of a host are this machine's."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)


def lock_file(path: Path, what: str) -> IO[bytes]:
    """Lock a file until this process ends or the returned file is closed.

    Args:
        path: The lock file. It is created if it is missing, and not deleted.
        what: What the lock is for, as error messages name it.

    Raises:
        EndpointError: when another process has the lock, or the file cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("ab")
    except OSError as fault:
        raise EndpointError(f"{what} cannot be locked: {fault}") from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        lock.close()
        raise EndpointError(f"{what} is in use by another process ({path})") from fault
    return lock


def lock_endpoint(endpoint: str) -> IO[bytes] | None:
    """Lock an ipc path before binding to it: ZeroMQ lets a second process take over the path."""
    if not endpoint.startswith("ipc://"):
        return None
    path = Path(endpoint.removeprefix("ipc://"))
    return lock_file(path.with_name(path.name + ".lock"), endpoint)
