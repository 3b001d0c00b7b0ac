"""What the machine can do, and what it should not do, where a network learns on it."""

from __future__ import annotations

import ctypes

import torch

# Of mallopt, in glibc's malloc.h; both take bytes.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST = 2**31 - 1


def fast_in_bfloat16() -> bool:
    """Whether this processor has instructions for products in bfloat16, so that they pay.

    Any other gives the same numbers, at a higher price than float32's.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def keep_freed_memory() -> bool:
    """Have this process keep the memory that it frees, for what it asks for next.

    An update asks for the same hundred megabytes as the one before. Left alone, glibc hands large
    pieces back to the system each time, which clears them, page by page, when they are first
    written to: on a virtual machine that costs as much as a tenth of the update to all of it.

    Returns:
        Whether the C library can be told so: glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_THRESHOLD, 2**30)) and bool(mallopt(TRIM_THRESHOLD, LARGEST))
