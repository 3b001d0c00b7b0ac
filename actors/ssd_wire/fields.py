"""What a message's fields may hold, read once from the annotations of its class.

An array field is written ``Annotated[np.ndarray, Axes("uint8", "T+1 B N", below="A")]``: its
dtype, its axes by name, and for whole numbers the axis that bounds its values. Everything else is a
scalar.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

LARGEST_NATURAL = 2**63 - 1
LONGEST_TEXT = 1024


@dataclass(frozen=True)
class Axes:
    """An array field's dtype, its axes, and the exclusive bound of its values.

    Args:
        dtype: A numpy dtype name.
        names: Axes separated by spaces, each a name, or a name plus a number (``T+1``).
        below: The axis whose length every value must stay below, or empty.
    """

    dtype: str
    names: str
    below: str = ""


@dataclass(frozen=True)
class ArrayField:
    """One array of a message, as the codec needs it."""

    name: str
    dtype: np.dtype[Any]
    axes: tuple[tuple[str, int], ...]  # (axis, how many more than the axis)
    below: str

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape this array has in a run whose axes have these sizes."""
        return tuple(sizes[axis] + more for axis, more in self.axes)

    def bind(self, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
        """Hold a shape against the sizes known so far, and learn the sizes it tells.

        Raises:
            ValueError: when the rank or a length is not what the axes say.
        """
        if len(shape) != len(self.axes):
            raise ValueError(f"{self.name}: wanted {len(self.axes)} axes, found shape {shape}")
        for length, (axis, more) in zip(shape, self.axes, strict=True):
            if sizes.setdefault(axis, length - more) + more != length:
                wanted = sizes[axis] + more
                raise ValueError(f"{self.name}: wanted {axis}+{more} = {wanted}, found {length}")

    def check_values(self, array: NDArray[Any], sizes: Mapping[str, int]) -> None:
        """Refuse what no honest peer sends: a NaN, a half-true bool, an action that is not one.

        Raises:
            ValueError: naming the field and the bound it broke.
        """
        if array.size == 0:
            return
        if self.dtype.kind == "f":
            if not np.isfinite(array).all():
                raise ValueError(f"{self.name}: wanted finite numbers, found NaN or infinity")
        elif self.dtype.kind == "b":
            if array.view(np.uint8).max() > 1:
                raise ValueError(f"{self.name}: wanted bytes 0 and 1, found others")
        elif self.below in sizes and (largest := int(array.max())) >= sizes[self.below]:
            raise ValueError(f"{self.name}: wanted less than {sizes[self.below]}, found {largest}")


@dataclass(frozen=True)
class Layout:
    """All fields of a message class, in order."""

    scalars: tuple[tuple[str, type], ...]
    arrays: tuple[ArrayField, ...]


_LAYOUTS: dict[type[Any], Layout] = {}


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
            arrays.append(ArrayField(field.name, np.dtype(axes.dtype), names, axes.below))
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
    if isinstance(value, int) and not 0 <= value <= LARGEST_NATURAL:
        raise ValueError(f"{name}: wanted 0 to {LARGEST_NATURAL}, found {value}")
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ValueError(f"{name}: wanted at most {LONGEST_TEXT} characters, found {len(value)}")


def check_fields(message: object) -> None:
    """Make a message valid or not at all: called by every message when it is made.

    Raises:
        ValueError: the first field that does not hold, naming what was wanted and found.
    """
    fields = layout(type(message))
    for name, kind in fields.scalars:
        check_scalar(name, kind, getattr(message, name))
    sizes: dict[str, int] = {}
    for field in fields.arrays:
        array = getattr(message, field.name)
        if not isinstance(array, np.ndarray) or array.dtype != field.dtype:
            found = getattr(array, "dtype", type(array).__name__)
            raise ValueError(f"{field.name}: wanted {field.dtype}, found {found}")
        field.bind(array.shape, sizes)
