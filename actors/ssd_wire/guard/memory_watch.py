"""Notices that a process's memory has grown by more than its work needs.

ZeroMQ keeps the parts of a message until the last one has arrived, and has no limit for them.
`ConnectionGuard` ends connections that fill memory so. This is the last resort, for what it does
not see: closing a socket frees all that it holds.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

CHECK_SECONDS = 0.1
MAX_GROWTH = 2 << 30  # bytes
FREED_SECONDS = 2.0  # until ZeroMQ has freed what closed connections held

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class MemoryWatch:
    """Compares the memory of this process with the least that it was.

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
        self._base: int | None = None
        self._was_grown = False  # at the last check

    def has_grown(self) -> bool:
        """Whether memory has grown by more than `max_growth`.

        Then the caller frees what it can. If that does not help, the process needs this memory for
        its work, and growth counts from there.
        """
        if self._clock() < self._next_check:
            return False
        self._next_check = self._clock() + CHECK_SECONDS
        if self._base is None or self._was_grown:
            return_freed_memory()
        resident = self._resident()
        self._base = min(resident, self._base or resident)
        grown = resident - self._base > self._max_growth
        if grown and self._was_grown:
            self._base, grown = resident, False
        elif grown:
            self._next_check += FREED_SECONDS
        self._was_grown = grown
        return grown


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
