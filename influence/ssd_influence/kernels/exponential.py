"""Powers of two in a few multiplications, for loops that the compiler can vectorise.

Numba's cache of every kernel file that uses these holds a copy of their code. After a change here,
delete the caches (`*.nbi` and `*.nbc` in `__pycache__`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ssd_influence.kernels.compilation import inlined

ONE, TWO = np.float32(1), np.float32(2)
LOG2_E = np.float32(np.log2(np.e))
# 2^t is clamped so that a product of four such numbers is still a finite float.
LIMIT = 30.0
# 2^f = 1 + f · (…) on −½ … ½, fitted at the Chebyshev nodes; the relative error is below 1.1e-7.
P1, P2, P3 = np.float32(0.6931469), np.float32(0.24022238), np.float32(0.05550893)
P4, P5 = np.float32(0.009671698), np.float32(0.0013218672)


def _intrinsic(generator: Callable[..., Any]) -> Callable[[np.float32], np.float32]:
    """A function of one float32 that kernels can call, from a generator of LLVM instructions."""
    return cast("Callable[[np.float32], np.float32]", intrinsic(generator))


@_intrinsic
def _nearest(_typing: Any, _x: Any) -> Any:
    """The nearest integer to a float32; numba's own rounding is not vectorised."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        rint = builder.module.declare_intrinsic("llvm.rint", [ir.FloatType()])
        return builder.call(rint, args)

    return types.float32(types.float32), generate


@_intrinsic
def _power_of_two(_typing: Any, _n: Any) -> Any:
    """2^n of an integral float32, by writing n into the exponent bits."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        int32 = ir.IntType(32)
        exponent = builder.add(builder.fptosi(args[0], int32), ir.Constant(int32, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(int32, 23)), ir.FloatType())

    return types.float32(types.float32), generate


@_intrinsic
def _clamp(_typing: Any, _t: Any) -> Any:
    """A float32 clamped to ±`LIMIT`; NaN stays NaN. Branches would prevent vectorisation."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        t = args[0]
        for comparison, limit in (("<", -LIMIT), (">", LIMIT)):
            bound = ir.Constant(ir.FloatType(), limit)
            t = builder.select(builder.fcmp_ordered(comparison, t, bound), bound, t)
        return t

    return types.float32(types.float32), generate


@inlined
def exp2(t: np.float32) -> np.float32:
    """2^t, with t clamped to ±`LIMIT`; NaN stays NaN."""
    t = _clamp(t)
    n = _nearest(t)
    f = t - n
    return (((((P5 * f + P4) * f + P3) * f + P2) * f + P1) * f + ONE) * _power_of_two(n)
