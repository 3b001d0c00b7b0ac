"""Notices that a process's memory has grown by more than its work needs.

ZeroMQ keeps the parts of a message until the last one has arrived, and has no limit for them. A
peer that sends parts and never the last one makes a process grow by hundreds of megabytes per
second, and nothing tells which peer it is. Closing the socket frees them.

This is no hard limit. Memory grows further until it is looked at again, and while ZeroMQ frees what
the closed sockets held: with a limit of 2 GiB a learner peaked at 4.0 GB (deploy/results/attacks).
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

CHECK_SECONDS = 0.1
MAX_GROWTH = 2 << 30  # bytes

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class MemoryWatch:
    """Compares the memory of this process with what it was.

    Args:
        max_growth: Bytes by which it may grow.
        resident: Returns the bytes of memory that this process uses.
        clock: Returns seconds.
    """

    def __init__(
        self,
        max_growth: int = MAX_GROWTH,
        resident: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_growth = max_growth
        self._resident = resident or resident_bytes
        self._clock = clock
        self._next_check = clock()
        self._base: int | None = None  # unknown at first, and after memory had grown

    def has_grown(self) -> bool:
        """Whether memory has grown by more than `max_growth` since it last had, or since the start.

        Then the caller frees what it can.
        """
        if self._clock() < self._next_check:
            return False
        self._next_check = self._clock() + CHECK_SECONDS
        if self._base is None:
            return_freed_memory()
            self._base = self._resident()
        if self._resident() - self._base <= self._max_growth:
            return False
        self._base = None
        return True


def resident_bytes() -> int:
    """Memory that this process uses; 0 on systems that do not say it in /proc."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except FileNotFoundError:
        return 0


def return_freed_memory() -> None:
    """Have the C library return freed memory to the kernel, where it can."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
