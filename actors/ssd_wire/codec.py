"""Messages to frames and back.

A message is a msgpack header ``[kind, protocol version, [scalars], [shapes]]`` and one raw
frame per array in C order, little-endian. Dtypes and ranks come from our classes, never from the
peer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgpack
import numpy as np
from numpy.typing import NDArray

from ssd_wire.errors import ProtocolError
from ssd_wire.fields import ArrayField, Layout, check_scalar, layout
from ssd_wire.messages import MESSAGES, Message

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("the protocol's arrays are little-endian, and so must the machine be")

PROTOCOL_VERSION = 1
LARGEST_HEADER = 64 * 1024

Frame = bytes | memoryview
Sizes = Mapping[str, int]
AnyMessage = TypeVar("AnyMessage", bound=Message)

_KINDS = {message: kind for kind, message in MESSAGES.items()}
_CONSTANT = {str(n): n for n in range(10)}  # an axis may be a number: the 3 of RGB


def encode(message: Message) -> list[Frame]:
    """The frames of a message. Arrays are passed on uncopied: do not write to them afterwards."""
    fields = layout(type(message))
    arrays = [np.ascontiguousarray(getattr(message, field.name)) for field in fields.arrays]
    header = (
        _KINDS[type(message)],
        PROTOCOL_VERSION,
        [getattr(message, name) for name, _ in fields.scalars],
        [array.shape for array in arrays],
    )
    return [msgpack.packb(header), *(array.data for array in arrays)]


def decode(frames: Sequence[bytes], wanted: tuple[type[Message], ...], sizes: Sizes) -> Message:
    """The message in these frames.

    Args:
        frames: As they came off the socket.
        wanted: The kinds that may come this way.
        sizes: Lengths of this run's axes; an axis not named here may have any length.

    Raises:
        ProtocolError: whatever else the bytes are, in bounded time and memory.
    """
    try:
        kind, scalars, shapes = _header(frames)
        message = MESSAGES.get(kind)
        if message not in wanted or message is None:
            names = ", ".join(_KINDS[one] for one in wanted)
            raise ValueError(f"kind: wanted {names}, found {kind!r:.40}")
        fields = layout(message)
        values = _scalars(fields, scalars)
        values.update(_arrays(fields, shapes, frames[1:], sizes))
        return message(**values)
    except ProtocolError:
        raise
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as fault:
        raise ProtocolError(str(fault)) from fault


def _header(frames: Sequence[bytes]) -> tuple[str, list[object], list[object]]:
    if not frames or len(frames[0]) > LARGEST_HEADER:
        found = len(frames[0]) if frames else "no frame"
        raise ValueError(f"header: wanted at most {LARGEST_HEADER} bytes, found {found}")
    header = msgpack.unpackb(frames[0], use_list=True, strict_map_key=True)
    if not isinstance(header, list) or len(header) != 4:
        raise ValueError(f"header: wanted [kind, version, scalars, shapes], found {header!r:.80}")
    kind, version, scalars, shapes = header
    if version != PROTOCOL_VERSION:
        raise ValueError(f"protocol: wanted version {PROTOCOL_VERSION}, found {version!r:.40}")
    if not (isinstance(kind, str) and isinstance(scalars, list) and isinstance(shapes, list)):
        raise ValueError("header: wanted a kind, a list of scalars and a list of shapes")
    return kind, scalars, shapes


def _scalars(fields: Layout, scalars: list[object]) -> dict[str, Any]:
    if len(scalars) != len(fields.scalars):
        raise ValueError(f"scalars: wanted {len(fields.scalars)}, found {len(scalars)}")
    for (name, kind), value in zip(fields.scalars, scalars, strict=True):
        check_scalar(name, kind, value)
    return {name: value for (name, _), value in zip(fields.scalars, scalars, strict=True)}


def _arrays(
    fields: Layout, shapes: list[object], frames: Sequence[bytes], run: Sizes
) -> dict[str, Any]:
    if not len(shapes) == len(frames) == len(fields.arrays):
        found = f"{len(frames)} frames and {len(shapes)} shapes"
        raise ValueError(f"arrays: wanted {len(fields.arrays)}, found {found}")
    sizes = _CONSTANT | dict(run)
    bound: list[tuple[ArrayField, tuple[int, ...]]] = []
    for field, shape in zip(fields.arrays, shapes, strict=True):
        bound.append((field, _shape(field, shape)))
        field.bind(bound[-1][1], sizes)
    arrays: dict[str, Any] = {}
    for (field, shape), frame in zip(bound, frames, strict=True):
        arrays[field.name] = _array(field, shape, frame)
        field.check_values(arrays[field.name], sizes)
    return arrays


def _shape(field: ArrayField, shape: object) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise ValueError(f"{field.name}: wanted a shape, found {shape!r:.80}")
    return tuple(shape)


def _array(field: ArrayField, shape: tuple[int, ...], frame: bytes) -> NDArray[Any]:
    size = field.dtype.itemsize
    for length in shape:
        size *= length
    if len(frame) != size:
        raise ValueError(f"{field.name}: wanted {size} bytes for {shape}, found {len(frame)}")
    array: NDArray[Any] = np.frombuffer(frame, field.dtype).reshape(shape)
    return array
