"""A network's weights in one frame."""

import numpy as np
import pytest

from ssd_wire import weights as weights_module
from ssd_wire.errors import ProtocolError
from ssd_wire.weights import Weights, decode_weights, encode_weights

SHAPES = {"first.weight": (3, 2), "first.bias": (3,), "scale": ()}


def drawn(shapes=SHAPES, **changes):
    random = np.random.default_rng(1)
    tensors = {name: random.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    tensors = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
    return Weights(
        **({"learner_incarnation": 5, "version": 6, "own_steps": 7, "tensors": tensors} | changes)
    )


FRAME = encode_weights(drawn())


def test_weights_are_decoded_as_they_were_encoded():
    weights = drawn()
    decoded = decode_weights(encode_weights(weights), SHAPES)
    assert (decoded.learner_incarnation, decoded.version, decoded.own_steps) == (5, 6, 7)
    assert list(decoded.tensors) == list(SHAPES)
    for name, tensor in weights.tensors.items():
        np.testing.assert_array_equal(decoded.tensors[name], tensor)
        assert decoded.tensors[name].shape == SHAPES[name]


def test_a_tensor_in_another_order_is_sent_in_c_order():
    tensor = np.arange(6, dtype=np.float32).reshape(2, 3).T
    frame = encode_weights(drawn(tensors={"w": tensor}))
    np.testing.assert_array_equal(decode_weights(frame, {"w": (3, 2)}).tensors["w"], tensor)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"version": -1}, "version: wanted 0 to"),
        ({"own_steps": 1.0}, "own_steps: wanted int, found float"),
        ({"learner_incarnation": True}, "learner_incarnation: wanted int, found bool"),
        ({"tensors": {"w": np.zeros(2)}}, "w: wanted float32, found float64"),
        ({"tensors": {"w": [0.0]}}, "w: wanted float32, found list"),
    ],
    ids=["negative", "float", "bool", "float64", "a list"],
)
def test_invalid_weights_cannot_be_created(changes, wrong):
    with pytest.raises(ValueError, match=wrong):
        drawn(**changes)


@pytest.mark.parametrize(
    ("shapes", "wrong"),
    [
        (SHAPES | {"first.bias": (4,)}, r"wanted \['first.bias', \[4\]\], found .*\[3\]"),
        ({"first.weight": (3, 2)}, r"wanted None, found \['first.bias', \[3\]\]"),
        (SHAPES | {"last": (1,)}, r"wanted \['last', \[1\]\], found None"),
        (dict(reversed(SHAPES.items())), "wanted .*'scale'.*found .*'first.weight'"),
    ],
    ids=["another shape", "a tensor too many", "a tensor missing", "another order"],
)
def test_weights_of_another_network_are_refused_with_the_first_tensor_that_differs(shapes, wrong):
    with pytest.raises(ProtocolError, match=f"tensors: {wrong}"):
        decode_weights(encode_weights(drawn()), shapes)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_no_weight_is_nan_or_infinite(number):
    weights = drawn()
    weights.tensors["first.bias"][1] = number
    with pytest.raises(ProtocolError, match="wanted finite numbers"):
        decode_weights(encode_weights(weights), SHAPES)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        FRAME[:3],
        FRAME[:-1],
        FRAME + b"\0",
        FRAME + bytes(4),
        b"\0\0\0\0" + FRAME[4:],
        b"\xff\xff\xff\xff" + FRAME[4:],
        b"\0\1\0\0" + FRAME[4:],
        FRAME.replace(b"weights\x06", b"weights\x05"),
        FRAME.replace(b"weights", b"heights"),
        b"\0\0\xff\xff" + b"\x91" * 65_535,
        b"\0\0\x03\xe9" + b"\x91" * 1000 + b"\xc0",
        b"\0\0\xff\xff" + b"\xdc\xff\xff" * 21_845,
    ],
    ids=[
        "nothing",
        "no length",
        "short",
        "a byte long",
        "a number long",
        "no header",
        "4 GiB of header",
        "64 KiB of header",
        "another version",
        "another kind",
        "nested too deep",
        "nested deep",
        "lists that claim to be long",
    ],
)
def test_an_invalid_frame_is_refused(frame):
    with pytest.raises(ProtocolError, match=r"^weights: \w"):
        decode_weights(frame, SHAPES)


def test_more_names_than_fit_a_header_are_not_sent():
    tensors = {f"tensor {n:04}": np.zeros(1, np.float32) for n in range(5000)}
    with pytest.raises(ValueError, match="a header of at most 65536 bytes"):
        encode_weights(drawn(tensors=tensors))


def test_a_header_may_name_as_many_tensors_as_the_network_has():
    shapes = {f"tensor {n}": (1,) for n in range(1000)}
    assert list(decode_weights(encode_weights(drawn(shapes)), shapes).tensors) == list(shapes)


def test_more_weights_than_fit_a_frame_are_not_sent(monkeypatch):
    monkeypatch.setattr(weights_module, "MAX_FRAME_BYTES", len(FRAME) - 1)
    with pytest.raises(
        ValueError, match=rf"a frame of {len(FRAME) - 1}, found \d+ and {len(FRAME)}"
    ):
        encode_weights(drawn())
