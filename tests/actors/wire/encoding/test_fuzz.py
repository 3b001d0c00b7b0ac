"""Any bytes are a valid message or raise ProtocolError."""

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssd_wire.codec import PROTOCOL_VERSION, decode, encode
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import MESSAGES, Message
from ssd_wire.weights import Weights, decode_weights, encode_weights

ALL = tuple(MESSAGES.values())
SHAPES = {"a": (2, 3), "b": (), "c": (4,)}

bytestrings = st.binary(max_size=200)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(width=32)
    | st.text(max_size=8)
    | bytestrings
    | st.builds(msgpack.ExtType, st.integers(0, 127), bytestrings)
    | st.sampled_from(sorted(MESSAGES))
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)
headers = st.builds(
    lambda *parts: msgpack.packb(parts),
    st.sampled_from(sorted(MESSAGES)) | anything,
    st.just(PROTOCOL_VERSION) | anything,
    st.lists(scalars, max_size=8) | anything,
    st.lists(st.none() | st.lists(scalars, max_size=4), max_size=8) | anything,
)
any_shape = st.none() | st.lists(st.integers(0, 9), max_size=4) | anything
some_axes = st.sets(st.sampled_from(["V", "L", "Q", "D", "K", "J", "C", "R", "B", "A"]))


@st.composite
def reshaped(draw, frames):
    """Frames of a message with some shapes changed, and with as many arrays as these claim."""
    header, *arrays = frames
    *before, shapes = msgpack.unpackb(header)
    remaining = iter(arrays)
    parts = [(shape, b"" if shape is None else next(remaining)) for shape in shapes]
    for _ in range(draw(st.integers(1, 3))):
        if parts:
            at = draw(st.integers(0, len(parts) - 1))
            size = draw(st.integers(0, 40))
            parts[at] = (draw(any_shape), draw(st.sampled_from([parts[at][1], bytes(size)])))
    kept = [array for shape, array in parts if shape is not None]
    return [msgpack.packb([*before, [shape for shape, _ in parts]]), *kept]


@st.composite
def damaged(draw, frames):
    """Frames with some of their bytes, lengths, order or number changed."""
    frames = list(frames)
    for _ in range(draw(st.integers(1, 3))):
        if not frames:
            break
        at = draw(st.integers(0, len(frames) - 1))
        whole = frames[at]
        cut = draw(st.integers(0, len(whole)))
        other = draw(st.integers(0, len(frames) - 1))
        change = draw(st.sampled_from(["write", "cut", "extend", "swap", "drop", "repeat"]))
        if change == "write":
            frames[at] = (whole[:cut] + draw(st.binary(max_size=9)) + whole[cut + 1 :])[
                : len(whole)
            ]
        elif change == "cut":
            frames[at] = whole[:cut]
        elif change == "extend":
            frames[at] = whole + draw(bytestrings)
        elif change == "swap":
            frames[at], frames[other] = frames[other], frames[at]
        elif change == "drop":
            del frames[at]
        else:
            frames.insert(at, frames[other])
    return frames


def decoded_or_refused(frames, lengths):
    """Decode frames; if they are a message, check all that messages guarantee."""
    try:
        message = decode(frames, ALL, lengths)
    except ProtocolError:
        return
    assert isinstance(message, Message)
    assert type(message)(**vars(message))
    again = [bytes(frame) for frame in encode(message)]
    assert again[1:] == list(frames[1:])
    assert [bytes(frame) for frame in encode(decode(again, ALL, lengths))] == again


@settings(max_examples=150, deadline=None)
@given(frames=st.lists(bytestrings, max_size=10))
def test_any_bytes_are_a_valid_message_or_refused(frames, lengths):
    decoded_or_refused(frames, lengths)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(header=headers, arrays=st.lists(bytestrings, max_size=8))
def test_any_header_is_valid_or_refused(header, arrays, lengths):
    decoded_or_refused([header, *arrays], lengths)


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("kind", ALL, ids=MESSAGES)
@given(data=st.data(), none_of=some_axes, unknown=some_axes)
def test_a_damaged_message_is_still_valid_or_refused(
    kind, data, none_of, unknown, lengths, draw_message
):
    sent = lengths | dict.fromkeys(none_of - {"A", "B"}, 0)
    whole = [bytes(frame) for frame in encode(draw_message(kind, sent))]
    change = data.draw(st.sampled_from([damaged, reshaped]))
    known = {axis: length for axis, length in sent.items() if axis not in unknown}
    decoded_or_refused(data.draw(change(whole)), known)


def weights_or_refused(frame):
    try:
        weights = decode_weights(frame, SHAPES)
    except ProtocolError:
        return
    assert {name: tensor.shape for name, tensor in weights.tensors.items()} == SHAPES
    assert all(np.isfinite(tensor).all() for tensor in weights.tensors.values())


@settings(max_examples=100, deadline=None)
@given(frame=bytestrings)
def test_any_frame_is_valid_weights_or_refused(frame):
    weights_or_refused(frame)


@settings(max_examples=150, deadline=None)
@given(header=anything, data=bytestrings)
def test_any_header_of_weights_is_valid_or_refused(header, data):
    header = msgpack.packb(header)
    weights_or_refused(len(header).to_bytes(4, "big") + header + data)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_weights_are_still_valid_or_refused(data):
    tensors = {name: np.ones(shape, np.float32) for name, shape in SHAPES.items()}
    whole = encode_weights(Weights(1, 2, 3, tensors))
    weights_or_refused(b"".join(data.draw(damaged([whole]))))
