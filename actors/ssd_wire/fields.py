"""What a message's fields may hold, read once from the annotations of its class.

An array field is written ``Annotated[np.ndarray, Axes("uint8", "T+1 B N", below="A")]``: its
dtype, its axes by name, and for bytes the axis that bounds their values. One that only some runs,
or some agents, have a use for names in `where` the axis that has a length for them, and 0 for the
others: these leave it out, as ``None``. Everything else is a scalar.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from reprlib import repr as shown
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

MAX_NATURAL = 2**63 - 1
MAX_TEXT_LENGTH = 1024
MAX_AXIS_LENGTH = 2**31 - 1

CONSTANT_AXES = {"2": 2, "3": 3}  # a bool's bytes stay below 2; a colour has 3 of them

_BYTES = bytes(range(256))
_FEW_BYTES = 1024  # up to here the work is less than the cost of calling numpy


@dataclass(frozen=True)
class Axes:
    """An array field's dtype, its axes, and the exclusive bound of its values.

    Args:
        dtype: A numpy dtype name.
        names: Axes separated by spaces, each a name, or a name plus a number (``T+1``).
        below: The axis whose length every value of a uint8 array must stay below, or empty.
        where: The axis without whose length the array is left out, or empty for never.
    """

    dtype: str
    names: str
    below: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        if self.below and np.dtype(self.dtype).itemsize != 1:
            raise ValueError(f"a bound: wanted it of single bytes only, found {self.dtype}")


@dataclass(frozen=True)
class ArrayField:
    """One array of a message, as the codec needs it."""

    name: str
    dtype: np.dtype[Any]
    axes: tuple[tuple[str, int], ...]  # (axis, how many more than the axis)
    below: str
    where: str

    def check_presence(self, is_there: bool, run: Mapping[str, int]) -> None:
        """Hold whether it is there against the lengths of the run's axes.

        Raises:
            ValueError: when it is missing, or not wanted.
        """
        if not self.where:
            wanted = True
        elif self.where in run:
            wanted = run[self.where] > 0
        else:
            return
        if is_there != wanted:
            words = {True: "an array", False: "none"}
            raise ValueError(f"{self.name}: wanted {words[wanted]}, found {words[is_there]}")

    def bind(self, shape: object, sizes: dict[str, int]) -> None:
        """Hold a shape against the sizes known so far, and learn the sizes it tells.

        Raises:
            ValueError: when the rank or a length is not what the axes say.
        """
        if not isinstance(shape, (list, tuple)) or len(shape) != len(self.axes):
            raise ValueError(f"{self.name}: wanted {len(self.axes)} axes, found {shown(shape)}")
        for length, (axis, more) in zip(shape, self.axes, strict=True):
            if axis not in sizes:
                self._learn(axis, length, more, sizes)
            elif length != sizes[axis] + more or type(length) is not int:
                wanted = f"{axis}+{more} = {sizes[axis] + more}"
                raise ValueError(f"{self.name}: wanted {wanted}, found {shown(length)}")

    def _learn(self, axis: str, length: object, more: int, sizes: dict[str, int]) -> None:
        if type(length) is not int or not more <= length <= MAX_AXIS_LENGTH:
            raise ValueError(
                f"{self.name}: wanted a length of {axis}+{more}, found {shown(length)}"
            )
        sizes[axis] = length - more


@dataclass(frozen=True)
class FittedArray:
    """An array field of known shape.

    Attributes:
        name, dtype: The field's.
        shape: One that its axes allow.
        size: Its bytes.
        below: What every byte must be less than, or None.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    below: int | None

    def read(self, frame: bytes) -> NDArray[Any]:
        """The array in a frame, as a view of it.

        Raises:
            ValueError: when the bytes are too few or too many, or hold what no honest peer sends.
        """
        if len(frame) != self.size:
            raise ValueError(f"{self.name}: wanted {self.size} bytes, found {len(frame)}")
        array: NDArray[Any] = np.ndarray(self.shape, self.dtype, frame)
        if self.below is not None:
            self._check_below(self.below, frame)
        elif self.dtype.kind == "f" and np.count_nonzero(np.isfinite(array)) != array.size:
            raise ValueError(f"{self.name}: wanted finite numbers, found NaN or infinity")
        return array

    def _check_below(self, bound: int, frame: bytes) -> None:
        if len(frame) <= _FEW_BYTES:
            holds = not frame.translate(None, _BYTES[:bound])  # what may be is taken out
        else:
            holds = np.frombuffer(frame, np.uint8).max() < bound
        if not holds:
            raise ValueError(f"{self.name}: wanted bytes below {bound}, found {max(frame)}")


@dataclass(frozen=True)
class Layout:
    """All fields of a message class, in order."""

    scalars: tuple[tuple[str, type], ...]
    arrays: tuple[ArrayField, ...]


_LAYOUTS: dict[type[Any], Layout] = {}
_FITTED: dict[tuple[object, ...], tuple[FittedArray | None, ...]] = {}
_MOST_FITTED = 256  # a run has some twenty
_EXACT = frozenset([int])


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
    scalars: list[tuple[str, type]] = []
    arrays: list[ArrayField] = []
    for field in dataclasses.fields(message):
        hint = hints[field.name]
        if get_origin(hint) is Annotated:
            axes = next(extra for extra in get_args(hint) if isinstance(extra, Axes))
            names = tuple(_axis(name) for name in axes.names.split())
            below = "2" if axes.dtype == "bool" else axes.below
            arrays.append(ArrayField(field.name, np.dtype(axes.dtype), names, below, axes.where))
        else:
            scalars.append((field.name, hint))
    return Layout(tuple(scalars), tuple(arrays))


def check_scalar(name: str, kind: type, value: object) -> None:
    """Refuse a scalar of another type, a number out of range, a text too long.

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
    """Refuse what is no array of this dtype.

    Raises:
        ValueError: naming the field, what was wanted and what was found.
    """
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        found = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{name}: wanted {dtype}, found {found}")


def fit(
    message: type[Any], shapes: Sequence[Any], run: tuple[tuple[str, int], ...] = ()
) -> tuple[FittedArray | None, ...]:
    """A message's array fields with these shapes, if they go together and with the run's axes.

    A run's messages have few shapes, over and over: what was found is remembered.

    Args:
        message: Its class.
        shapes: One per array field, None for one that is left out.
        run: Lengths of the run's axes; an axis not named here bounds nothing.

    Returns:
        One per array field, None for one that is left out.

    Raises:
        ValueError: when a rank or a length is not what the axes say, or an array is missing or too
            many.
    """
    try:
        key = (message, tuple([None if one is None else tuple(one) for one in shapes]), run)
        exact = set(map(type, chain.from_iterable(filter(None, key[1])))) <= _EXACT
    except TypeError:
        exact = False
    if not exact:  # which refuses it, in words; True and 1.0 would pass for 1 below
        return _fit(message, shapes, run)
    fitted = _FITTED.get(key)
    if fitted is None:
        fitted = _fit(message, shapes, run)
        if len(_FITTED) < _MOST_FITTED:
            _FITTED[key] = fitted
    return fitted


def _fit(
    message: type[Any], shapes: Sequence[Any], run: tuple[tuple[str, int], ...]
) -> tuple[FittedArray | None, ...]:
    known = CONSTANT_AXES | dict(run)
    sizes = dict(known)
    fields = layout(message).arrays
    for field, shape in zip(fields, shapes, strict=True):
        field.check_presence(shape is not None, known)
        if shape is not None:
            field.bind(shape, sizes)
    return tuple(
        None
        if shape is None
        else FittedArray(
            name=field.name,
            dtype=field.dtype,
            shape=tuple(shape),
            size=math.prod(shape) * field.dtype.itemsize,
            below=known.get(field.below),
        )
        for field, shape in zip(fields, shapes, strict=True)
    )


def check_fields(message: object) -> None:
    """Make a message valid or not at all: called by every message when it is made.

    Raises:
        ValueError: the first field that does not hold, naming what was wanted and found.
    """
    kind = type(message)
    fields = layout(kind)
    for name, scalar in fields.scalars:
        check_scalar(name, scalar, getattr(message, name))
    if not fields.arrays:
        return
    shapes: list[tuple[int, ...] | None] = []
    for field in fields.arrays:
        array = getattr(message, field.name)
        if array is None and field.where:
            shapes.append(None)
            continue
        check_array(field.name, field.dtype, array)
        shapes.append(array.shape)
    fit(kind, shapes)
