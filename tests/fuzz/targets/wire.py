"""Messages and weights: any bytes are valid, or raise ProtocolError."""

from collections.abc import Iterator

import numpy as np
from tests.fuzz.target import Reader, Target, joined

from ssd_wire.codec import decode, encode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError
from ssd_wire.fields import CONSTANT_AXES, layout
from ssd_wire.messages import MESSAGES, Message
from ssd_wire.weights import Weights, decode_weights, encode_weights

ALL = tuple(MESSAGES.values())
DIMS = Dims(B=2, N=3, A=4, W=2, P=7, T=1, S=2, V=8, L=1, Q=1, D=1, K=2, J=1, C=2, R=3)
LENGTHS = {**DIMS.lengths, "bytes": 9}
SHAPES = {"a": (2, 3), "b": (), "c": (4,)}


def message(kind: type[Message], seed: int = 0) -> Message:
    """A random valid message of the small run."""
    random, values, lengths = np.random.default_rng(seed), {}, CONSTANT_AXES | LENGTHS
    for field in layout(kind).scalars:
        number = int(random.integers(2**63, dtype=np.uint64)) % field.below
        values[field.name] = {int: number, bool: bool(number % 2), str: "text" * 3}[field.kind]
    for field in layout(kind).arrays:
        shape = [lengths[axis] + more for axis, more in field.axes]
        if field.dtype.kind == "f":
            values[field.name] = -random.random(shape, np.float32)
        else:
            array = random.integers(lengths.get(field.below, 256), size=shape, dtype=np.uint8)
            values[field.name] = array.view(field.dtype)
    return kind(**values)


def run_decode(data: bytes) -> None:
    reader = Reader(data)
    lengths = [LENGTHS, {}, {"A": 4, "B": 2, "N": 3}][reader.number() % 3]
    frames = reader.frames()
    try:
        decoded = decode(frames, ALL, lengths)
    except ProtocolError:
        return
    again = [bytes(frame) for frame in encode(type(decoded)(**vars(decoded)))]
    assert again[1:] == frames[1:]


def seeds_of_decode() -> Iterator[bytes]:
    for known in range(3):
        for kind in ALL:
            yield bytes([known]) + joined(encode(message(kind)))


def run_weights(data: bytes) -> None:
    try:
        weights = decode_weights(data, SHAPES)
    except ProtocolError:
        return
    assert all(np.isfinite(tensor).all() for tensor in weights.tensors.values())


def seeds_of_weights() -> Iterator[bytes]:
    tensors = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    for number in (0, 1, 2**63 - 1):
        yield encode_weights(Weights(number, number, number, tensors))


TARGETS = (
    Target("decode", run_decode, seeds_of_decode),
    Target("weights", run_weights, seeds_of_weights),
)
