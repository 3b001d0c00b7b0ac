"""A network's weights in one frame. PUB/SUB with CONFLATE would corrupt multipart messages.

4 bytes  length of the header, unsigned, big-endian
header   msgpack ["weights", protocol version, [learner_incarnation, version, own_steps], tensors]
         where tensors is a list of [name, shape]
data     all tensors in that order: float32, C order, little-endian, without padding
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from reprlib import repr as short_repr
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from ssd_wire.codec import (
    MAX_FRAME_BYTES,
    MAX_HEADER_BYTES,
    MAX_LIST_LENGTH,
    PROTOCOL_VERSION,
    unpack,
)
from ssd_wire.errors import ProtocolError
from ssd_wire.fields import check_array, check_scalar

_FLOAT32 = np.dtype(np.float32)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Weights:
    """One version of an agent's weights.

    Args:
        learner_incarnation: Of the learner that published them.
        version: Number of updates. A restarted learner continues from lower numbers, so versions
            of different incarnations cannot be compared.
        own_steps: Steps of this agent that it has been trained on.
        tensors: float32 arrays by parameter name.
    """

    learner_incarnation: int
    version: int
    own_steps: int
    tensors: Mapping[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        for name in ("learner_incarnation", "version", "own_steps"):
            check_scalar(name, int, getattr(self, name))
        for name, tensor in self.tensors.items():
            check_array(name, _FLOAT32, tensor)


def encoded_size(shapes: Shapes) -> int:
    """The most bytes that a frame of weights has.

    Args:
        shapes: Of the network's tensors, by name.
    """
    return 4 + MAX_HEADER_BYTES + 4 * sum(math.prod(shape) for shape in shapes.values())


def encode_weights(weights: Weights) -> bytes:
    """Encode weights as one frame.

    Raises:
        ValueError: when they are too many or too large for a frame.
    """
    arrays = [np.ascontiguousarray(tensor) for tensor in weights.tensors.values()]
    header = msgpack.packb(
        (
            "weights",
            PROTOCOL_VERSION,
            (weights.learner_incarnation, weights.version, weights.own_steps),
            [(name, tensor.shape) for name, tensor in weights.tensors.items()],
        )
    )
    size = len(header) + sum(array.nbytes for array in arrays) + 4
    if len(header) > MAX_HEADER_BYTES or size > MAX_FRAME_BYTES:
        wanted = f"a header of at most {MAX_HEADER_BYTES} bytes and a frame of {MAX_FRAME_BYTES}"
        raise ValueError(f"weights: wanted {wanted}, found {len(header)} and {size}")
    return b"".join([struct.pack(">I", len(header)), header, *(array.data for array in arrays)])


def decode_weights(frame: bytes, shapes: Shapes) -> Weights:
    """Decode a frame of weights; the tensors share its memory.

    Args:
        frame: As received from a socket.
        shapes: Names and shapes of the network's tensors, in order.

    Raises:
        ProtocolError: when the frame is invalid, or of another network.
    """
    try:
        header, data = _split(frame, len(shapes))
        kind, version, scalars, tensors = header
        if kind != "weights" or version != PROTOCOL_VERSION:
            wanted = f"weights of protocol version {PROTOCOL_VERSION}"
            raise ValueError(f"wanted {wanted}, found {short_repr(header)}")
        learner, number, own_steps = scalars
        _check_tensors(tensors, shapes)
        return Weights(learner, number, own_steps, _tensors(data, shapes))
    except (ValueError, TypeError, struct.error, msgpack.UnpackException) as fault:
        raise ProtocolError(f"weights: {str(fault) or type(fault).__name__}") from fault


def _split(frame: bytes, tensors: int) -> tuple[Any, memoryview]:
    (length,) = struct.unpack_from(">I", frame)
    header = unpack(frame[4 : 4 + min(length, MAX_HEADER_BYTES + 1)], max(tensors, MAX_LIST_LENGTH))
    return header, memoryview(frame)[4 + length :]


def _check_tensors(found: list[object], shapes: Shapes) -> None:
    wanted = [[name, list(shape)] for name, shape in shapes.items()]
    for expected, actual in zip_longest(wanted, found):
        if expected != actual:
            raise ValueError(f"tensors: wanted {expected}, found {short_repr(actual)}")


def _tensors(data: memoryview, shapes: Shapes) -> dict[str, NDArray[np.float32]]:
    total = 4 * sum(math.prod(shape) for shape in shapes.values())
    if len(data) != total:
        raise ValueError(f"data: wanted {total} bytes, found {len(data)}")
    flat = np.frombuffer(data, np.float32)
    if not np.isfinite(flat).all():
        raise ValueError("data: wanted finite numbers, found NaN or infinity")
    tensors, start = {}, 0
    for name, shape in shapes.items():
        end = start + math.prod(shape)
        tensors[name] = flat[start:end].reshape(shape)
        start = end
    return tensors
