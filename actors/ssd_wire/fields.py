"""The types of a message's fields, read once from the annotations of its class.

An array field is written ``Annotated[np.ndarray, Axes("uint8", "T+1 B N", below="A")]``: its
dtype, its axes by letter, and for uint8 the axis whose length all values must stay below. Floats
have numbers as bounds instead. A field that only some runs or some agents have names an axis in
`present_if`. Where that axis has length 0, the field is None. All other fields are scalars, of
which an int may have a bound, as in ``Annotated[int, Below(64)]``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from reprlib import repr as short_repr
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

MAX_NATURAL = 2**63 - 1
MAX_TEXT_LENGTH = 1024
MAX_AXIS_LENGTH = 2**31 - 1

CONSTANT_AXES = {"2": 2, "3": 3}  # a bool is a byte below 2; a colour has 3 bytes

_BYTES = bytes(range(256))
_SMALL = 1024  # bytes; below this, calling numpy costs more than the check itself
_FEW = 8192  # floats; numpy may use threads for the product of longer arrays


@dataclass(frozen=True)
class Axes:
    """An array field's dtype, its axes, and the bounds of its values.

    Args:
        dtype: A numpy dtype name.
        names: Axes separated by spaces, each a name, or a name plus a number (``T+1``).
        below: The axis whose length all values of a uint8 array must stay below, or empty.
        present_if: The axis whose length is 0 where the array is None, or empty.
        low, high: The least and the greatest value of a float array, with high at most −low.
    """

    dtype: str
    names: str
    below: str = ""
    present_if: str = ""
    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if self.below and np.dtype(self.dtype).itemsize != 1:
            raise ValueError(f"a bound: wanted it of single bytes only, found {self.dtype}")
        is_bounded = 0 < self.high <= -self.low < math.inf
        if is_bounded != (np.dtype(self.dtype).kind == "f"):
            found = f"{self.dtype} from {self.low} to {self.high}"
            raise ValueError(f"bounds: wanted them of floats only, 0 < high <= -low, found {found}")


@dataclass(frozen=True)
class Below:
    """The exclusive bound of an int field."""

    bound: int


@dataclass(frozen=True)
class ScalarField:
    """One scalar of a message.

    Attributes:
        kind: int, str or bool.
        below: The exclusive bound of an int.
    """

    name: str
    kind: type
    below: int = MAX_NATURAL + 1

    def check(self, value: object) -> None:
        """Check the value's type and, of an int, its bound.

        Raises:
            ValueError: naming the field, what was wanted and what was found.
        """
        if type(value) is int is self.kind and 0 <= value < self.below:
            return
        check_scalar(self.name, self.kind, value)
        if type(value) is int and value >= self.below:
            raise ValueError(f"{self.name}: wanted less than {self.below}, found {value}")


@dataclass(frozen=True)
class ArrayField:
    """One array of a message, as the codec needs it."""

    name: str
    dtype: np.dtype[Any]
    axes: tuple[tuple[str, int], ...]  # (axis, how many more than the axis)
    below: str
    present_if: str
    low: float
    high: float

    def size(self, lengths: Mapping[str, int]) -> int:
        """Bytes of the array where its axes have these lengths; 0 if one has none."""
        known = CONSTANT_AXES | dict(lengths)
        if not all(axis in known for axis, _ in self.axes):
            return 0
        return math.prod(known[axis] + more for axis, more in self.axes) * self.dtype.itemsize

    def check_presence(self, is_present: bool, known: Mapping[str, int]) -> None:
        """Check whether the array may be present or absent.

        Raises:
            ValueError: when it is missing, or present against expectation.
        """
        if not self.present_if:
            wanted = True
        elif self.present_if in known:
            wanted = known[self.present_if] > 0
        else:
            return
        if is_present != wanted:
            words = {True: "an array", False: "none"}
            raise ValueError(f"{self.name}: wanted {words[wanted]}, found {words[is_present]}")

    def bind(self, shape: object, lengths: dict[str, int]) -> None:
        """Check a shape against the known lengths, and add the lengths that it defines.

        Raises:
            ValueError: when the rank or a length is not what the axes say.
        """
        if not isinstance(shape, (list, tuple)) or len(shape) != len(self.axes):
            raise ValueError(
                f"{self.name}: wanted {len(self.axes)} axes, found {short_repr(shape)}"
            )
        for length, (axis, more) in zip(shape, self.axes, strict=True):
            if axis not in lengths:
                self._learn(axis, length, more, lengths)
            elif length != lengths[axis] + more or type(length) is not int:
                wanted = f"{axis}+{more} = {lengths[axis] + more}"
                raise ValueError(f"{self.name}: wanted {wanted}, found {short_repr(length)}")

    def _learn(self, axis: str, length: object, more: int, lengths: dict[str, int]) -> None:
        if type(length) is not int or not more <= length <= MAX_AXIS_LENGTH:
            raise ValueError(
                f"{self.name}: wanted a length of {axis}+{more}, found {short_repr(length)}"
            )
        lengths[axis] = length - more


@dataclass(frozen=True)
class ArraySpec:
    """An array field with a checked shape.

    Attributes:
        name, dtype: Of the field.
        shape: Of the array.
        size: Its number of bytes.
        below: Exclusive upper bound of every byte, or None.
        low, high: Bounds of every float.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    below: int | None
    low: float
    high: float

    def read(self, frame: bytes) -> NDArray[Any]:
        """The array in a frame, sharing its memory.

        Raises:
            ValueError: when the number of bytes is wrong, or a value is out of range.
        """
        if len(frame) != self.size:
            raise ValueError(f"{self.name}: wanted {self.size} bytes, found {len(frame)}")
        array: NDArray[Any] = np.ndarray(self.shape, self.dtype, frame)
        if self.below is not None:
            self._check_below(self.below, frame)
        elif self.dtype.kind == "f" and not is_within(array, self.low, self.high):
            wanted = f"finite numbers of {self.low:g} to {self.high:g}"
            raise ValueError(
                f"{self.name}: wanted {wanted}, found {array.min():g} to {array.max():g}"
            )
        return array

    def _check_below(self, bound: int, frame: bytes) -> None:
        if len(frame) <= _SMALL:
            is_valid = not frame.translate(None, _BYTES[:bound])  # deletes all valid bytes
        else:
            is_valid = np.frombuffer(frame, np.uint8).max() < bound
        if not is_valid:
            raise ValueError(f"{self.name}: wanted bytes below {bound}, found {max(frame)}")


def is_within(array: NDArray[np.float32], low: float, high: float) -> bool:
    """Whether all floats of an array are at least `low` and at most `high`; NaN is neither.

    Args:
        array: Of any shape.
        low: Finite.
        high: At most −low.
    """
    # Where the squares add up to no more than that of `low`, no number is further from 0 than it.
    # For a short array that is faster than to find its least and its greatest number.
    if array.size <= _FEW and np.vdot(array, array) <= low * low:
        return high == -low or not array.size or bool(array.max() <= high)
    return not array.size or bool(array.min() >= low and array.max() <= high)


@dataclass(frozen=True)
class Layout:
    """All fields of a message class, in order."""

    scalars: tuple[ScalarField, ...]
    arrays: tuple[ArrayField, ...]


_LAYOUTS: dict[type[Any], Layout] = {}
_SPECS: dict[tuple[object, ...], tuple[ArraySpec | None, ...]] = {}
_MAX_SPECS = 256  # a run uses about twenty
_INT_ONLY = frozenset([int])


def _axis(text: str) -> tuple[str, int]:
    name, _, more = text.partition("+")
    return name, int(more or 0)


def layout(message: type[Any]) -> Layout:
    """The layout of a message class, from its annotations."""
    if message not in _LAYOUTS:
        _LAYOUTS[message] = _read_layout(message)
    return _LAYOUTS[message]


def _read_layout(message: type[Any]) -> Layout:
    hints = get_type_hints(message, include_extras=True)
    scalars: list[ScalarField] = []
    arrays: list[ArrayField] = []
    for field in dataclasses.fields(message):
        hint = hints[field.name]
        kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        match extras:
            case [Axes() as axes]:
                arrays.append(_array_field(field.name, axes))
            case [Below(bound)]:
                scalars.append(ScalarField(field.name, kind, bound))
            case _:
                scalars.append(ScalarField(field.name, kind))
    return Layout(tuple(scalars), tuple(arrays))


def _array_field(name: str, axes: Axes) -> ArrayField:
    names = tuple(_axis(axis) for axis in axes.names.split())
    below = "2" if axes.dtype == "bool" else axes.below
    dtype = np.dtype(axes.dtype)
    return ArrayField(name, dtype, names, below, axes.present_if, axes.low, axes.high)


def check_scalar(name: str, kind: type, value: object) -> None:
    """Check a scalar's type, a number's range, a text's length.

    Raises:
        ValueError: naming the field, what was wanted and what was found.
    """
    if type(value) is not kind:
        raise ValueError(f"{name}: wanted {kind.__name__}, found {type(value).__name__}")
    if isinstance(value, int) and not 0 <= value <= MAX_NATURAL:
        raise ValueError(f"{name}: wanted 0 to {MAX_NATURAL}, found {value}")
    if isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"{name}: wanted at most {MAX_TEXT_LENGTH} characters, found {len(value)}")


def check_array(name: str, dtype: np.dtype[Any], array: object) -> None:
    """Check that a value is an array of this dtype.

    Raises:
        ValueError: naming the field, what was wanted and what was found.
    """
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        found = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{name}: wanted {dtype}, found {found}")


def array_specs(
    message: type[Any], shapes: Sequence[Any], run: tuple[tuple[str, int], ...] = ()
) -> tuple[ArraySpec | None, ...]:
    """Check the shapes of a message's arrays against each other and the run's axes.

    The results are cached, because the messages of a run have only a few different shapes.

    Args:
        message: Its class.
        shapes: One per array field, None for an absent one.
        run: Lengths of the run's axes. An axis that is not in it may have any length.

    Returns:
        One per array field, None for an absent one.

    Raises:
        ValueError: when a rank or length is wrong, or an array is missing or unexpected.
    """
    try:
        key = (message, tuple([None if one is None else tuple(one) for one in shapes]), run)
        is_exact = set(map(type, chain.from_iterable(filter(None, key[1])))) <= _INT_ONLY
    except TypeError:
        is_exact = False
    if not is_exact:  # raises an error; in the cache, True and 1.0 would equal 1
        return _array_specs(message, shapes, run)
    specs = _SPECS.get(key)
    if specs is None:
        specs = _array_specs(message, shapes, run)
        if len(_SPECS) >= _MAX_SPECS:  # from peers that are not of this run
            del _SPECS[next(iter(_SPECS))]
        _SPECS[key] = specs
    return specs


def _array_specs(
    message: type[Any], shapes: Sequence[Any], run: tuple[tuple[str, int], ...]
) -> tuple[ArraySpec | None, ...]:
    known = CONSTANT_AXES | dict(run)
    lengths = dict(known)
    fields = layout(message).arrays
    for field, shape in zip(fields, shapes, strict=True):
        field.check_presence(shape is not None, known)
        if shape is not None:
            field.bind(shape, lengths)
    return tuple(
        None
        if shape is None
        else ArraySpec(
            name=field.name,
            dtype=field.dtype,
            shape=tuple(shape),
            size=math.prod(shape) * field.dtype.itemsize,
            below=known.get(field.below),
            low=field.low,
            high=field.high,
        )
        for field, shape in zip(fields, shapes, strict=True)
    )


def check_fields(message: object) -> None:
    """Check all fields of a message. Every message calls this when it is created.

    Raises:
        ValueError: naming the first invalid field, what was wanted and what was found.
    """
    kind = type(message)
    fields = layout(kind)
    for scalar in fields.scalars:
        scalar.check(getattr(message, scalar.name))
    if not fields.arrays:
        return
    shapes: list[tuple[int, ...] | None] = []
    for field in fields.arrays:
        array = getattr(message, field.name)
        if array is None and field.present_if:
            shapes.append(None)
            continue
        check_array(field.name, field.dtype, array)
        shapes.append(array.shape)
    array_specs(kind, shapes)
