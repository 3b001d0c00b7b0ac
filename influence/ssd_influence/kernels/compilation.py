"""How every kernel is compiled: once a machine, without the GIL, and kept on disk.

Numba looks for a kernel's stored code by the state of the file that the kernel is written in, and
does not see changes in other files. So a kernel and the functions it calls share a file.

Sums may be taken in another order and products fused into them; a NaN stays a NaN. A division by
zero gives an infinity, as in numpy: numba's other way, to look before each, keeps loops from
being vectorised. So does a loop that reads many arrays and writes many, since each may overlap
with each: the loops here write one.
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
    except RuntimeError:  # numba finds no directory that it may write to
        warnings.warn(
            "neither the package's directory nor the user's cache can be written to, so every "
            "process compiles its kernels anew; NUMBA_CACHE_DIR may name a better place",
            RuntimeWarning,
            stacklevel=1,  # one place for all kernels, so that it is said once
        )
        return cast("Kernel", njit(**_OPTIONS)(function))


def inlined(function: Kernel) -> Kernel:
    """Make a function a part of every kernel that calls it."""
    return cast("Kernel", njit(inline="always", **_OPTIONS)(function))


def on_host(tensor: Tensor) -> bool:
    """Whether kernels can work on this tensor: float32, on the CPU."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def array(tensor: Tensor) -> npt.NDArray[Any]:
    """A host tensor's own memory as an array, in C order: copied only where it is not.

    Of bfloat16, which numpy has not, the bits as uint16.
    """
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.detach().view(torch.uint16)
    return np.ascontiguousarray(tensor.detach().numpy())
