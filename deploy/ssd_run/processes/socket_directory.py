"""The directory of a run's ipc sockets. The path of a socket can have at most 107 bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ssd_run.run_directory import SOCKETS_LOCK, SOCKETS_PREFIX
from ssd_wire.endpoints import MAX_IPC_PATH_BYTES, lock_file
from ssd_wire.errors import EndpointError

SHORT = "/tmp"  # noqa: S108 - we use only a private directory in it
LONGEST_NAME = os.path.join("ssd-12345678", "segments-9999")  # noqa: PTH118 - not a complete path


@contextmanager
def socket_directory(log: Callable[[str], None]) -> Iterator[Path]:
    """A temporary private directory (0700) for sockets, in /tmp where TMPDIR is too long.

    It is locked as long as this process lives, so that no other launcher deletes it.

    Args:
        log: Tells the user when it is not in TMPDIR.

    Raises:
        EndpointError: when it cannot be created.
    """
    parent = tempfile.gettempdir()
    if len(os.fsencode(Path(parent, LONGEST_NAME))) > MAX_IPC_PATH_BYTES:
        log(f"the path {parent} is too long for sockets: they are in {SHORT}")
        parent = SHORT
    try:
        folder = tempfile.TemporaryDirectory(
            prefix=SOCKETS_PREFIX, dir=parent, ignore_cleanup_errors=True
        )
    except OSError as fault:
        raise EndpointError(f"cannot create a directory for sockets: {fault}") from fault
    with folder as name, closing(lock_file(Path(name, SOCKETS_LOCK), f"socket directory {name}")):
        yield Path(name)
