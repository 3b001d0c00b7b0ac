"""How this process asks the system for memory."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_LARGEST_KEPT = 1 << 30
_PAD = 1 << 26


def keep_freed_memory() -> None:
    """Let the C library keep what tensors give back, instead of asking the kernel for it anew.

    By default glibc maps every larger tensor and unmaps it soon after, so that each update touches
    fresh pages; a learner spends up to half its time on that. Does nothing where there is no
    mallopt.
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
