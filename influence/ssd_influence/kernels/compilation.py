"""How kernels are compiled: once per machine, without the GIL, with an on-disk cache.

Numba invalidates its cache by the file that the kernel is written in, and does not notice changes
in other files. So a kernel and the functions that it calls share a file.

Sums may be reordered and multiply-adds fused; NaNs are kept. Division by zero gives an infinity, as
in numpy: numba's default checks each divisor first, which prevents vectorisation. So does a loop
that reads many arrays and writes many, since any two may overlap: each loop here writes one array.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from numba import njit
from torch import Tensor

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}


def kernel(function: Kernel) -> Kernel:
    """Compile a function with numba at its first call."""
    try:
        return cast("Kernel", njit(cache=True, **_OPTIONS)(function))
    except RuntimeError:  # numba finds no writable directory
        warnings.warn(
            "neither the package's directory nor the user's cache is writable, so every process"
            " compiles its kernels again; set NUMBA_CACHE_DIR to a writable directory",
            RuntimeWarning,
            stacklevel=1,  # one location for all kernels, so that the warning shows once
        )
        return cast("Kernel", njit(**_OPTIONS)(function))


def inlined(function: Kernel) -> Kernel:
    """Inline a function into every kernel that calls it."""
    return cast("Kernel", njit(inline="always", **_OPTIONS)(function))


def is_host_float32(tensor: Tensor) -> bool:
    """Whether kernels can work on this tensor."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def as_array(tensor: Tensor) -> npt.NDArray[Any]:
    """A host tensor as a C-ordered array on the same memory; copied only if it is not contiguous.

    Numpy has no bfloat16, so such a tensor becomes an array of uint16 with the same bits.
    """
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.detach().view(torch.uint16)
    return np.ascontiguousarray(tensor.detach().numpy())
