"""The decorator of all kernels: compiled at the first call, without the GIL, and cached on disk.

Numba reuses cached machine code as long as the file with the kernel does not change; it does not
notice changes in other files. So a kernel and the functions it calls share a file. The exceptions
are `ssd_envs.kernels.rng` and the constants in `ssd_envs.palette` and `ssd_envs.spec`, which rarely
change. After a change there, delete the caches (`*.nbi` and `*.nbc` in `__pycache__`).
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
            "neither the package's directory nor the user's cache is writable, so every process "
            "compiles the kernels again; set NUMBA_CACHE_DIR to a writable directory",
            RuntimeWarning,
            stacklevel=1,  # the same place for all kernels, so that it is reported once
        )
        return cast("Kernel", njit(nogil=True)(function))
