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
    _typing: Any,
    one: Any,
    two: Any,
    three: Any,
    _at_one: Any,
    _at_two: Any,
    _at_three: Any,
    out: Any,
    _at: Any,
) -> Any:
    """Eight floats of `out` = ReLU of the sum of eight of each of three arrays; a NaN passes.

    Args: the three arrays, a place in each, `out`, the place in that.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature.args, LANES)
        first, second, third = (code.load(args, which, args[3 + which]) for which in range(3))
        total = builder.fadd(builder.fadd(first, second), third)
        negative = builder.fcmp_ordered("<", total, ZEROS)
        code.store(args, 6, args[7], builder.select(negative, ZEROS, total))
        return context.get_dummy_value()

    places = types.intp, types.intp, types.intp
    return types.void(one, two, three, *places, out, types.intp), generate


@_inside_kernels
def add_where_positive(
    _typing: Any,
    one: Any,
    two: Any,
    three: Any,
    _at_one: Any,
    _at_two: Any,
    _at_three: Any,
    d_out: Any,
    out: Any,
    _at: Any,
) -> Any:
    """The gradient of `relu_of_sum`: add eight floats of `d_out` to eight of each of three arrays.

    Where `out` was 0, nothing is added. Args: the three arrays, a place in each, `d_out`, `out`,
    the place in both.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature.args, LANES)
        d, made = code.load(args, 6, args[8]), code.load(args, 7, args[8])
        d = builder.select(builder.fcmp_ordered("<=", made, ZEROS), ZEROS, d)
        for which in range(3):
            added = builder.fadd(code.load(args, which, args[3 + which]), d)
            code.store(args, which, args[3 + which], added)
        return context.get_dummy_value()

    places = types.intp, types.intp, types.intp
    return types.void(one, two, three, *places, d_out, out, types.intp), generate
