"""Addresses: which may be used, and who holds them.

Traffic that is not encrypted stays on this machine: ipc:// and tcp:// on a loopback address.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
from pathlib import Path
from typing import IO

from ssd_wire.errors import EndpointError

MAX_IPC_PATH_BYTES = 107  # sockaddr_un holds 108 bytes, one of them the final zero


def check_endpoint(endpoint: str, *, encrypted: bool = False) -> str:
    """Pass on an endpoint that can be used, and refuse others before ZeroMQ does so obscurely.

    Args:
        endpoint: The address.
        encrypted: Whether its socket encrypts, and authenticates its peers. Only such a socket may
            leave this machine.

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
    """Whether a host is this machine under all addresses that its name stands for."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(address[0]).is_loopback for *_, address in found)


def lock_file(path: Path, what: str) -> IO[bytes]:
    """Hold a lock that ends with this process: a second holder is refused, not let in silently.

    Args:
        path: The lock file; it is made if need be and stays.
        what: What is held, for the message.

    Raises:
        EndpointError: when another process holds it, or the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("ab")
    except OSError as fault:
        raise EndpointError(f"{what} cannot be held: {fault}") from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        lock.close()
        raise EndpointError(f"{what} is held by another process ({path})") from fault
    return lock


def lock_endpoint(endpoint: str) -> IO[bytes] | None:
    """Hold an ipc path before binding to it, since ZeroMQ lets a second binder steal it."""
    if not endpoint.startswith("ipc://"):
        return None
    path = Path(endpoint.removeprefix("ipc://"))
    return lock_file(path.with_name(path.name + ".lock"), endpoint)
