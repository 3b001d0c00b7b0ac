"""The pointwise half of an LSTM's step: from gates to cell and output.

Every gate is a function of one exponential, x = 2^(−z log₂ e) with σ(z) = 1 / (1 + x), and
tanh z = (1 − y) / (1 + y) with y = x². So the exponentials come first, in one pass, and what is
made of them shares its divisions. Gates stand in PyTorch's order i f g o.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ssd_influence.kernels.kernel import inlined, kernel

F32 = npt.NDArray[np.float32]

ONE, TWO, ZERO = np.float32(1), np.float32(2), np.float32(0)
SIGMOID = np.float32(-np.log2(np.e))  # σ(z) = 1 / (1 + 2^(z · SIGMOID))
TANH = np.float32(-2 * np.log2(np.e))
# 2^t is cut off where a product of four such still is a float, and σ is 0 or 1 to 1e-9.
LIMIT = 30.0
# 2^f = 1 + f · (…) on −½ … ½, fitted at the Chebyshev nodes; the relative error is below 1.1e-7.
P1, P2, P3 = np.float32(0.6931469), np.float32(0.24022238), np.float32(0.05550893)
P4, P5 = np.float32(0.009671698), np.float32(0.0013218672)


@intrinsic  # type: ignore[untyped-decorator]
def _nearest(_typing: Any, _x: Any) -> Any:
    """The nearest whole number of a float32; numba's own rounding is not vectorised."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        rint = builder.module.declare_intrinsic("llvm.rint", [ir.FloatType()])
        return builder.call(rint, args)

    return types.float32(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_two(_typing: Any, _n: Any) -> Any:
    """2^n of a whole float32, by writing n where a float has its exponent."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        int32 = ir.IntType(32)
        exponent = builder.add(builder.fptosi(args[0], int32), ir.Constant(int32, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(int32, 23)), ir.FloatType())

    return types.float32(types.float32), generate


@intrinsic  # type: ignore[untyped-decorator]
def _within_limits(_typing: Any, _t: Any) -> Any:
    """A float32 cut off at ±`LIMIT`; a NaN passes. Branches would keep loops from being vectors."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        t = args[0]
        for comparison, limit in (("<", -LIMIT), (">", LIMIT)):
            bound = ir.Constant(ir.FloatType(), limit)
            t = builder.select(builder.fcmp_ordered(comparison, t, bound), bound, t)
        return t

    return types.float32(types.float32), generate


@inlined
def _exp2(t: np.float32) -> np.float32:
    """2^t, cut off at ±`LIMIT`; a NaN stays one."""
    t = _within_limits(t)
    n = _nearest(t)
    f = t - n
    power = ((((P5 * f + P4) * f + P3) * f + P2) * f + P1) * f + ONE
    return power * _power_of_two(n)


@kernel
def step(gates: F32, c_tm1: F32, c_t: F32, h_t: F32) -> None:
    """One step in B games.

    Args:
        gates: [B, 4 · cells] W·x + U·h + b; overwritten with what the step makes of them.
        c_tm1: [B, cells], the cell before, 0 where an episode starts.
        c_t, h_t: [B, cells] out.
    """
    games, cells = c_tm1.shape
    for b in range(games):
        i, f = gates[b, :cells], gates[b, cells : 2 * cells]
        g, o = gates[b, 2 * cells : 3 * cells], gates[b, 3 * cells :]
        before, c, h = c_tm1[b], c_t[b], h_t[b]
        for k in range(cells):
            g[k] *= TWO
        for k in range(4 * cells):
            gates[b, k] = ONE / (ONE + _exp2(gates[b, k] * SIGMOID))
        for k in range(cells):
            g[k] = TWO * g[k] - ONE  # tanh z = 2 σ(2z) − 1
        for k in range(cells):
            c[k] = f[k] * before[k] + i[k] * g[k]
        for k in range(cells):
            y = _exp2(c[k] * TANH)
            h[k] = (ONE - y) / (ONE + y) * o[k]


@kernel
def imagine(gates: F32, columns: F32, c_tm1: F32, h: F32) -> None:
    """A step in R games for each of A inputs that differ in one one-hot part.

    The gates meet the cell without being written down, and all they are made of shares two
    divisions: c = [c′ (1 + x_i)(1 + x_g) + (1 − x_g)(1 + x_f)] / [(1 + x_i)(1 + x_g)(1 + x_f)].

    Args:
        gates: [R, 4 · cells], what is the same for all A.
        columns: [A, 4 · cells], what each adds.
        c_tm1: [R, cells], the cell before, 0 where an episode starts.
        h: [R, A, cells] out.
    """
    games, cells = c_tm1.shape
    x = np.empty(4 * cells, np.float32)
    x_i, x_f = x[:cells], x[cells : 2 * cells]
    x_g, x_o = x[2 * cells : 3 * cells], x[3 * cells :]
    for r in range(games):
        before = c_tm1[r]
        for a in range(len(columns)):
            for k in range(4 * cells):
                x[k] = _exp2((gates[r, k] + columns[a, k]) * SIGMOID)
            out = h[r, a]
            for k in range(cells):
                y_g = x_g[k] * x_g[k]
                f, ig = ONE + x_f[k], (ONE + x_i[k]) * (ONE + y_g)
                y = _exp2((before[k] * ig + (ONE - y_g) * f) / (ig * f) * TANH)
                out[k] = (ONE - y) / ((ONE + y) * (ONE + x_o[k]))
