"""A network's weights in one frame, as PUB/SUB with CONFLATE needs it (multipart would tear).

4 bytes  length of the header, unsigned, big-endian
header   msgpack ["weights", protocol version, [learner, version, own_steps], [[name, shape], …]]
data     every tensor in that order, float32, C order, little-endian, nothing between them
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from ssd_wire.codec import LARGEST_HEADER, PROTOCOL_VERSION
from ssd_wire.errors import ProtocolError
from ssd_wire.fields import check_scalar

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Weights:
    """One version of an agent's weights.

    Args:
        learner: Incarnation of the learner that published them.
        version: Updates behind them. A recovered learner publishes lower numbers than the one
            before it did, so versions of different learners do not compare.
        own_steps: Agent-steps of this agent trained on so far.
        tensors: float32 arrays by parameter name.
    """

    learner: int
    version: int
    own_steps: int
    tensors: Mapping[str, NDArray[np.float32]]


def encode_weights(weights: Weights) -> bytes:
    """One frame. Every tensor must be float32 already."""
    arrays = [np.ascontiguousarray(tensor) for tensor in weights.tensors.values()]
    for name, array in zip(weights.tensors, arrays, strict=True):
        if array.dtype != np.float32:
            raise ValueError(f"{name}: wanted float32, found {array.dtype}")
    header = msgpack.packb(
        (
            "weights",
            PROTOCOL_VERSION,
            (weights.learner, weights.version, weights.own_steps),
            [(name, tensor.shape) for name, tensor in weights.tensors.items()],
        )
    )
    return b"".join([struct.pack(">I", len(header)), header, *(array.data for array in arrays)])


def decode_weights(frame: bytes, shapes: Shapes) -> Weights:
    """The weights in a frame, as views of it.

    Args:
        frame: As it came off the socket.
        shapes: Names and shapes of the network they are for, in order.

    Raises:
        ProtocolError: when they are for another network, or no weights at all.
    """
    try:
        header, data = _split(frame)
        kind, version, scalars, tensors = header
        if kind != "weights" or version != PROTOCOL_VERSION:
            raise ValueError(f"wanted weights of protocol {PROTOCOL_VERSION}, found {header!r:.80}")
        learner, number, own_steps = scalars
        for name, value in (("learner", learner), ("version", number), ("own_steps", own_steps)):
            check_scalar(name, int, value)
        found = [(name, tuple(shape)) for name, shape in tensors]
        if found != list(shapes.items()):
            raise ValueError(f"tensors: wanted {dict(shapes)}, found {dict(found)!r:.400}")
        return Weights(learner, number, own_steps, _tensors(data, shapes))
    except (ValueError, TypeError, struct.error, msgpack.UnpackException) as fault:
        raise ProtocolError(f"weights: {fault}") from fault


def _split(frame: bytes) -> tuple[Any, memoryview]:
    (length,) = struct.unpack_from(">I", frame)
    if length > LARGEST_HEADER:
        raise ValueError(f"header: wanted at most {LARGEST_HEADER} bytes, found {length}")
    return msgpack.unpackb(frame[4 : 4 + length], use_list=True), memoryview(frame)[4 + length :]


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
