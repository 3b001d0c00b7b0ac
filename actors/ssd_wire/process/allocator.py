"""Settings of the C library's memory allocator."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_LARGEST_KEPT = 1 << 30
_PAD = 1 << 26


def keep_freed_memory() -> None:
    """Make the C library keep freed memory instead of returning it to the kernel.

    By default glibc maps each large tensor separately and unmaps it when it is freed, so every
    update touches fresh pages. A learner spends up to half of its time on that. Does nothing where
    there is no mallopt.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    for option, value in (
        (_MMAP_THRESHOLD, _LARGEST_KEPT),
        (_TRIM_THRESHOLD, _LARGEST_KEPT),
        (_TOP_PAD, _PAD),
    ):
        mallopt(option, value)
