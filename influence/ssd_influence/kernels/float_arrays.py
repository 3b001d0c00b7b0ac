"""Loads and stores for arrays of float32 or bfloat16: one float, or a vector of eight.

Numpy has no bfloat16, so such an array has dtype uint16 and the same bits, the upper half of a
float32. All arithmetic is in float32. The vector functions are our own LLVM instructions, since
numba does not vectorise short loops.

Arrays are in C order. An offset counts elements from the start of the array, whatever its shape,
and is not checked.

Numba's cache of every kernel file that uses these holds a copy of their code. After a change here,
delete the caches (`*.nbi` and `*.nbc` in `__pycache__`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

VECTOR_WIDTH = 8
FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, VECTOR_WIDTH)
ZEROS = ir.Constant(VECTOR, [0.0] * VECTOR_WIDTH)

Floats = npt.NDArray[np.float32] | npt.NDArray[np.uint16]


class _Instructions:
    """Writes the LLVM instructions of one call, for one float or a vector of them.

    Args:
        context, builder: numba's.
        types: of the call's arguments.
        width: floats per load or store.
    """

    def __init__(self, context: Any, builder: Any, types: Any, width: int) -> None:
        self.context, self.builder, self.types, self.width = context, builder, types, width

    def load(self, args: Any, index: int, offset: Any) -> Any:
        """Load from the array that is argument `index` of the call."""
        builder = self.builder
        if self.types[index].dtype == types.float32:
            return builder.load(self._pointer(args, index, offset, FLOAT), align=4)
        bits = builder.load(self._pointer(args, index, offset, ir.IntType(16)), align=2)
        wide = builder.zext(bits, self._widened(ir.IntType(32)))
        return builder.bitcast(builder.shl(wide, self._constant(16)), self._widened(FLOAT))

    def store(self, args: Any, index: int, offset: Any, floats: Any) -> None:
        """Store to that array; bfloat16 is rounded to nearest, ties to even."""
        builder = self.builder
        if self.types[index].dtype == types.float32:
            builder.store(floats, self._pointer(args, index, offset, FLOAT), align=4)
            return
        bits = builder.bitcast(floats, self._widened(ir.IntType(32)))
        odd = builder.and_(builder.lshr(bits, self._constant(16)), self._constant(1))
        bits = builder.add(bits, builder.add(odd, self._constant(0x7FFF)))
        bits = builder.trunc(builder.lshr(bits, self._constant(16)), self._widened(ir.IntType(16)))
        builder.store(bits, self._pointer(args, index, offset, ir.IntType(16)), align=2)

    def _pointer(self, args: Any, index: int, offset: Any, element: Any) -> Any:
        array = self.context.make_array(self.types[index])
        data = array(self.context, self.builder, value=args[index]).data
        pointer = self.builder.gep(data, [offset])
        return self.builder.bitcast(pointer, self._widened(element).as_pointer())

    def _widened(self, element: Any) -> Any:
        return element if self.width == 1 else ir.VectorType(element, self.width)

    def _constant(self, number: int) -> ir.Constant:
        element = self._widened(ir.IntType(32))
        return ir.Constant(element, number if self.width == 1 else [number] * self.width)


def _intrinsic(generator: Callable[..., Any]) -> Callable[..., Any]:
    """A function that kernels can call, from a generator of LLVM instructions."""
    return cast("Callable[..., Any]", intrinsic(generator))


@_intrinsic
def load(_typing: Any, array: Any, _offset: Any) -> Any:
    """array[offset] as a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _Instructions(context, builder, signature.args, 1).load(args, 0, args[1])

    return types.float32(array, types.intp), generate


@_intrinsic
def store(_typing: Any, array: Any, _offset: Any, _number: Any) -> Any:
    """array[offset] = a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _Instructions(context, builder, signature.args, 1).store(args, 0, args[1], args[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.float32), generate


@_intrinsic
def relu_of_sum(
    _typing: Any,
    one: Any,
    two: Any,
    three: Any,
    _offset_one: Any,
    _offset_two: Any,
    _offset_three: Any,
    out: Any,
    _offset: Any,
) -> Any:
    """Store the ReLU of the sum of three vectors, one from each array; NaN stays NaN.

    Args: the three arrays, an offset in each, `out`, the offset in it.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Instructions(context, builder, signature.args, VECTOR_WIDTH)
        first, second, third = (code.load(args, index, args[3 + index]) for index in range(3))
        total = builder.fadd(builder.fadd(first, second), third)
        negative = builder.fcmp_ordered("<", total, ZEROS)
        code.store(args, 6, args[7], builder.select(negative, ZEROS, total))
        return context.get_dummy_value()

    offsets = types.intp, types.intp, types.intp
    return types.void(one, two, three, *offsets, out, types.intp), generate


@_intrinsic
def add_where_positive(
    _typing: Any,
    one: Any,
    two: Any,
    three: Any,
    _offset_one: Any,
    _offset_two: Any,
    _offset_three: Any,
    d_out: Any,
    out: Any,
    _offset: Any,
) -> Any:
    """The gradient of `relu_of_sum`: add a vector of `d_out` to a vector of each of three arrays.

    Nothing is added where `out` is 0. Args: the three arrays, an offset in each, `d_out`, `out`,
    the offset in both.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Instructions(context, builder, signature.args, VECTOR_WIDTH)
        d, activation = code.load(args, 6, args[8]), code.load(args, 7, args[8])
        d = builder.select(builder.fcmp_ordered("<=", activation, ZEROS), ZEROS, d)
        for index in range(3):
            added = builder.fadd(code.load(args, index, args[3 + index]), d)
            code.store(args, index, args[3 + index], added)
        return context.get_dummy_value()

    offsets = types.intp, types.intp, types.intp
    return types.void(one, two, three, *offsets, d_out, out, types.intp), generate
