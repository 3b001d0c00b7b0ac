"""Arrays of float32, or of bfloat16, for kernels to read and write: one float, or eight at once.

Numpy has no bfloat16, so such an array is of uint16 with the same bits, the upper half of a
float32's. All arithmetic is in float32. Eight at once are in instructions of our own, where numba
makes no vectors: of short loops.

Arrays are in C order. Places in one count its elements from its first, whatever its shape, and are
not checked.

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
FLOAT = ir.FloatType()
FLOATS = ir.VectorType(FLOAT, LANES)
ZEROS = ir.Constant(FLOATS, [0.0] * LANES)

Floats = npt.NDArray[np.float32] | npt.NDArray[np.uint16]


class _Code:
    """Where numba wants the instructions of one call, on one float or on several at once.

    Args:
        context, builder: numba's.
        types: of the call's arguments.
        lanes: how many floats at once.
    """

    def __init__(self, context: Any, builder: Any, types: Any, lanes: int) -> None:
        self.context, self.builder, self.types, self.lanes = context, builder, types, lanes

    def load(self, args: Any, which: int, place: Any) -> Any:
        """Floats of the array that is one of the arguments."""
        builder = self.builder
        if self.types[which].dtype == types.float32:
            return builder.load(self._pointer(args, which, place, FLOAT), align=4)
        bits = builder.load(self._pointer(args, which, place, ir.IntType(16)), align=2)
        wide = builder.zext(bits, self._lanes_of(ir.IntType(32)))
        return builder.bitcast(builder.shl(wide, self._each(16)), self._lanes_of(FLOAT))

    def store(self, args: Any, which: int, place: Any, floats: Any) -> None:
        """Floats to the array; to bfloat16 rounded to the nearest, of two to the even one."""
        builder = self.builder
        if self.types[which].dtype == types.float32:
            builder.store(floats, self._pointer(args, which, place, FLOAT), align=4)
            return
        bits = builder.bitcast(floats, self._lanes_of(ir.IntType(32)))
        odd = builder.and_(builder.lshr(bits, self._each(16)), self._each(1))
        bits = builder.add(bits, builder.add(odd, self._each(0x7FFF)))
        bits = builder.trunc(builder.lshr(bits, self._each(16)), self._lanes_of(ir.IntType(16)))
        builder.store(bits, self._pointer(args, which, place, ir.IntType(16)), align=2)

    def _pointer(self, args: Any, which: int, place: Any, kind: Any) -> Any:
        array = self.context.make_array(self.types[which])
        data = array(self.context, self.builder, value=args[which]).data
        pointer = self.builder.gep(data, [place])
        return self.builder.bitcast(pointer, self._lanes_of(kind).as_pointer())

    def _lanes_of(self, kind: Any) -> Any:
        return kind if self.lanes == 1 else ir.VectorType(kind, self.lanes)

    def _each(self, number: int) -> ir.Constant:
        kind = self._lanes_of(ir.IntType(32))
        return ir.Constant(kind, number if self.lanes == 1 else [number] * self.lanes)


def _inside_kernels(generator: Callable[..., Any]) -> Callable[..., Any]:
    """A function for kernels to call, from what generates its instructions."""
    return cast("Callable[..., Any]", intrinsic(generator))


@_inside_kernels
def get(_typing: Any, array: Any, _place: Any) -> Any:
    """array[place] as a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _Code(context, builder, signature.args, 1).load(args, 0, args[1])

    return types.float32(array, types.intp), generate


@_inside_kernels
def put(_typing: Any, array: Any, _place: Any, _number: Any) -> Any:
    """array[place] = a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _Code(context, builder, signature.args, 1).store(args, 0, args[1], args[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.float32), generate


@_inside_kernels
def relu_of_sum(
    _typing: Any, rows: Any, _first: Any, _second: Any, _third: Any, out: Any, _place: Any
) -> Any:
    """out[place : place + 8] = ReLU of the sum of eight floats at three places in `rows`.

    A NaN passes. Arguments: `rows`, the three places in it, `out`, the place in that.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature.args, LANES)
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
        code = _Code(context, builder, signature.args, LANES)
        d, made = code.load(args, 4, args[6]), code.load(args, 5, args[6])
        d = builder.select(builder.fcmp_ordered("<=", made, ZEROS), ZEROS, d)
        for which in (1, 2, 3):
            added = builder.fadd(code.load(args, 0, args[which]), d)
            code.store(args, 0, args[which], added)
        return context.get_dummy_value()

    places = types.intp, types.intp, types.intp
    return types.void(rows, *places, d_out, out, types.intp), generate
