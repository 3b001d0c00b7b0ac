"""How every kernel is compiled: once, without the GIL, and kept on disk for the next process.

Numba looks for a kernel's stored code by the state of the file that the kernel is written in, and
does not see changes in other files. So a kernel and the functions it calls share a file. What all
kernels take from other files, `ssd_envs.kernels.rng` and the constants in `ssd_envs.palette`,
rarely changes. After a change there, delete the caches (`*.nbi` and `*.nbc` in `__pycache__`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def kernel(function: Kernel) -> Kernel:
    """Compile a function with numba at its first call."""
    try:
        return cast("Kernel", njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no directory that it may write to
        warnings.warn(
            "neither the package's directory nor the user's cache can be written to, so every "
            "process compiles its kernels anew; NUMBA_CACHE_DIR may name a better place",
            RuntimeWarning,
            stacklevel=1,  # one place for all kernels, so that it is said once
        )
        return cast("Kernel", njit(nogil=True)(function))
