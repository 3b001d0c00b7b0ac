"""Where a run's ipc sockets lie: the path of a socket has at most 107 bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ssd_run.run_directory import SOCKETS_LOCK, SOCKETS_PREFIX
from ssd_wire.endpoints import MAX_IPC_PATH_BYTES, lock_file
from ssd_wire.errors import EndpointError

SHORT = "/tmp"  # noqa: S108 - only a private directory in it is used
LONGEST_NAME = os.path.join("ssd-12345678", "segments-9999")  # noqa: PTH118 - no path of its own


@contextmanager
def socket_directory(say: Callable[[str], None]) -> Iterator[Path]:
    """A private directory (0700) for sockets, gone afterwards; a short one where TMPDIR is long.

    It is held by a lock as long as this process lives, so that nobody sweeps it meanwhile.

    Args:
        say: Tells the user when it is not where TMPDIR says.

    Raises:
        EndpointError: when there is no place for it.
    """
    parent = tempfile.gettempdir()
    if len(os.fsencode(Path(parent, LONGEST_NAME))) > MAX_IPC_PATH_BYTES:
        say(f"{parent} is too long a path for sockets: they are in {SHORT}")
        parent = SHORT
    try:
        folder = tempfile.TemporaryDirectory(
            prefix=SOCKETS_PREFIX, dir=parent, ignore_cleanup_errors=True
        )
    except OSError as fault:
        raise EndpointError(f"no directory for sockets can be made: {fault}") from fault
    with folder as name, closing(lock_file(Path(name, SOCKETS_LOCK), f"socket directory {name}")):
        yield Path(name)
