"""Eight floats at once, in instructions of our own: numba makes no vectors of loops this short.

Arrays are C-ordered, of float32 or of bfloat16; numpy has no bfloat16, so those are uint16 with the
same bits, the upper half of a float32's. All arithmetic is in float32. Places in an array count its
elements from its first, whatever its shape, and are not checked.

Every kernel file that uses these holds a copy of their code in numba's cache: whoever changes this
file removes the caches (`*.nbi` and `*.nbc` in `__pycache__`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

LANES = 8
FLOATS = ir.VectorType(ir.FloatType(), LANES)
INTS = ir.VectorType(ir.IntType(32), LANES)
HALVES = ir.VectorType(ir.IntType(16), LANES)
ZEROS = ir.Constant(FLOATS, [0.0] * LANES)

Floats = npt.NDArray[np.float32] | npt.NDArray[np.uint16]
F32 = npt.NDArray[np.float32]


def _each(number: int) -> ir.Constant:
    return ir.Constant(INTS, [number] * LANES)


class _Code:
    """Where numba wants the instructions of one call.

    Args:
        context, builder: numba's.
        types: of the call's arguments.
    """

    def __init__(self, context: Any, builder: Any, types: Any) -> None:
        self.context, self.builder, self.types = context, builder, types

    def load(self, args: Any, which: int, place: Any) -> Any:
        """Eight floats of the array that is one of the arguments."""
        builder = self.builder
        if self.types[which].dtype == types.float32:
            return builder.load(self._pointer(args, which, place, FLOATS), align=4)
        halves = builder.load(self._pointer(args, which, place, HALVES), align=2)
        return builder.bitcast(builder.shl(builder.zext(halves, INTS), _each(16)), FLOATS)

    def store(self, args: Any, which: int, place: Any, floats: Any) -> None:
        """Eight floats to the array; to bfloat16 rounded to the nearest, of two to the even one."""
        builder = self.builder
        if self.types[which].dtype == types.float32:
            builder.store(floats, self._pointer(args, which, place, FLOATS), align=4)
            return
        bits = builder.bitcast(floats, INTS)
        odd = builder.and_(builder.lshr(bits, _each(16)), _each(1))
        bits = builder.add(bits, builder.add(odd, _each(0x7FFF)))
        halves = builder.trunc(builder.lshr(bits, _each(16)), HALVES)
        builder.store(halves, self._pointer(args, which, place, HALVES), align=2)

    def _pointer(self, args: Any, which: int, place: Any, vector: Any) -> Any:
        kind = self.types[which]
        data = self.context.make_array(kind)(self.context, self.builder, value=args[which]).data
        return self.builder.bitcast(self.builder.gep(data, [place]), vector.as_pointer())


def _inside_kernels(generator: Callable[..., Any]) -> Callable[..., None]:
    """A function for kernels to call, from what generates its instructions."""
    return cast("Callable[..., None]", intrinsic(generator))


@_inside_kernels
def relu_of_sum(
    _typing: Any, rows: Any, _first: Any, _second: Any, _third: Any, out: Any, _place: Any
) -> Any:
    """out[place : place + 8] = ReLU of the sum of eight floats at three places in `rows`.

    A NaN passes. Arguments: `rows`, the three places in it, `out`, the place in that.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature.args)
        one, two, three = (code.load(args, 0, args[which]) for which in (1, 2, 3))
        total = builder.fadd(builder.fadd(one, two), three)
        negative = builder.fcmp_ordered("<", total, ZEROS)
        code.store(args, 4, args[5], builder.select(negative, ZEROS, total))
        return context.get_dummy_value()

    places = types.intp, types.intp, types.intp
    return types.void(rows, *places, out, types.intp), generate


@_inside_kernels
def add_where_positive(
    _typing: Any,
    rows: Any,
    _first: Any,
    _second: Any,
    _third: Any,
    d_out: Any,
    out: Any,
    _place: Any,
) -> Any:
    """The gradient of `relu_of_sum`: add d_out[place : place + 8] at three places in `rows`.

    Where `out` was 0, nothing is added. Arguments: `rows`, the three places in it, `d_out`, `out`,
    the place in both.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature.args)
        d, made = code.load(args, 4, args[6]), code.load(args, 5, args[6])
        d = builder.select(builder.fcmp_ordered("<=", made, ZEROS), ZEROS, d)
        for which in (1, 2, 3):
            added = builder.fadd(code.load(args, 0, args[which]), d)
            code.store(args, 0, args[which], added)
        return context.get_dummy_value()

    places = types.intp, types.intp, types.intp
    return types.void(rows, *places, d_out, out, types.intp), generate
