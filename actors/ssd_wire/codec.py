"""Encodes messages as frames, and decodes them.

A message is a msgpack header ``[kind, protocol version, [scalars], [shapes]]`` and one raw frame
per array, in C order, little-endian. An absent array has nil in place of its shape, and no frame.
Dtypes and ranks come from the message classes, never from the peer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from reprlib import repr as short_repr
from typing import Any

import msgpack
import numpy as np

from ssd_wire.errors import ProtocolError
from ssd_wire.fields import Layout, array_specs, layout
from ssd_wire.messages import MESSAGES, Message

if sys.byteorder != "little":  # pragma: no cover
    raise ImportError("the protocol needs a little-endian machine")

PROTOCOL_VERSION = 6
MAX_HEADER_BYTES = 64 * 1024
MAX_FRAME_BYTES = 256 * 1024 * 1024
MAX_LIST_LENGTH = 64  # in a header; no message has so many fields

Frame = bytes | memoryview
Lengths = Mapping[str, int]

MAX_FRAMES = 1 + max(len(layout(message).arrays) for message in MESSAGES.values())

_KINDS = {message: kind for kind, message in MESSAGES.items()}


def encode(message: Message) -> list[Frame]:
    """The frames of a message. They share the arrays' memory: do not write to the arrays later.

    Raises:
        ValueError: when an array is too large for a frame.
    """
    fields = layout(type(message))
    given = [getattr(message, field.name) for field in fields.arrays]
    arrays = [np.ascontiguousarray(array) for array in given if array is not None]
    if too_large := [array.shape for array in arrays if array.nbytes > MAX_FRAME_BYTES]:
        raise ValueError(f"arrays: wanted at most {MAX_FRAME_BYTES} bytes each, found {too_large}")
    header = (
        _KINDS[type(message)],
        PROTOCOL_VERSION,
        [getattr(message, field.name) for field in fields.scalars],
        [None if array is None else array.shape for array in given],
    )
    return [msgpack.packb(header), *(array.data for array in arrays)]


def decode(frames: Sequence[bytes], wanted: tuple[type[Message], ...], lengths: Lengths) -> Message:
    """The message in these frames, in bounded time and memory, whatever bytes they contain.

    Args:
        frames: As received from a socket.
        wanted: The message classes that are accepted.
        lengths: The run's axes by letter; an axis that is not in it may have any length.

    Raises:
        ProtocolError: when they are not a valid message of this run.
    """
    try:
        if len(frames) > MAX_FRAMES:
            raise ValueError(f"frames: wanted at most {MAX_FRAMES}, found more")
        kind, scalars, shapes = _header(frames)
        message = MESSAGES.get(kind)
        if message not in wanted or message is None:
            names = ", ".join(_KINDS[one] for one in wanted)
            raise ValueError(f"kind: wanted {names}, found {short_repr(kind)}")
        fields = layout(message)
        values = _scalars(fields, scalars) | _arrays(message, shapes, frames[1:], lengths)
        return message.checked(values)
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as fault:
        raise ProtocolError(str(fault) or type(fault).__name__) from fault


def largest_frame(messages: Iterable[type[Message]], lengths: Lengths) -> int:
    """Bytes of the largest frame that messages of these classes have in a run.

    Args:
        messages: Their classes.
        lengths: The run's axes by letter. Arrays with an axis that is not in it do not count.
    """
    arrays = (field for message in messages for field in layout(message).arrays)
    return max(MAX_HEADER_BYTES, *(field.size(lengths) for field in arrays))


def largest_message(messages: Iterable[type[Message]], lengths: Lengths) -> int:
    """Bytes of the largest message of these classes in a run; see `largest_frame`."""
    arrays = (sum(field.size(lengths) for field in layout(one).arrays) for one in messages)
    return MAX_HEADER_BYTES + max(arrays)


def unpack(header: bytes, longest_list: int = MAX_LIST_LENGTH) -> Any:
    """Unpack a msgpack header in bounded memory. It may have no maps, binaries or extensions.

    Raises:
        ValueError: when it is too long or invalid.
        msgpack.UnpackException: when it is nested too deeply.
    """
    if len(header) > MAX_HEADER_BYTES:
        raise ValueError(f"header: wanted at most {MAX_HEADER_BYTES} bytes, found {len(header)}")
    # msgpack allocates a list of the length that its prefix claims, and lists nest. Without a limit
    # 64 KiB of such prefixes would allocate half a gigabyte.
    return msgpack.unpackb(
        header, max_array_len=longest_list, max_map_len=0, max_bin_len=0, max_ext_len=0
    )


def _header(frames: Sequence[bytes]) -> tuple[str, list[object], list[Any]]:
    if not frames:
        raise ValueError("header: wanted a frame, found none")
    header = unpack(frames[0])
    if not isinstance(header, list) or len(header) != 4:
        raise ValueError(
            f"header: wanted [kind, version, scalars, shapes], found {short_repr(header)}"
        )
    kind, version, scalars, shapes = header
    if type(version) is not int or version != PROTOCOL_VERSION:
        raise ValueError(
            f"protocol: wanted version {PROTOCOL_VERSION}, found {short_repr(version)}"
        )
    if not (isinstance(kind, str) and isinstance(scalars, list) and isinstance(shapes, list)):
        raise ValueError("header: wanted a kind, a list of scalars and a list of shapes")
    return kind, scalars, shapes


def _scalars(fields: Layout, scalars: list[object]) -> dict[str, Any]:
    if len(scalars) != len(fields.scalars):
        raise ValueError(f"scalars: wanted {len(fields.scalars)}, found {len(scalars)}")
    values = {}
    for field, value in zip(fields.scalars, scalars, strict=True):
        field.check(value)
        values[field.name] = value
    return values


def _arrays(
    message: type[Message], shapes: list[Any], frames: Sequence[bytes], lengths: Lengths
) -> dict[str, Any]:
    wanted = len(layout(message).arrays)
    present = sum(shape is not None for shape in shapes)
    if len(shapes) != wanted or len(frames) != present:
        found = f"{len(frames)} frames and {len(shapes)} shapes, {present} of them of arrays"
        raise ValueError(f"arrays: wanted {wanted} shapes and a frame for each, found {found}")
    specs = array_specs(message, shapes, tuple(lengths.items()))
    remaining = iter(frames)
    return {
        field.name: None if spec is None else spec.read(next(remaining))
        for field, spec in zip(layout(message).arrays, specs, strict=True)
    }
