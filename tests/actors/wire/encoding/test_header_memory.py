"""Invalid headers and huge shapes are refused in little memory."""

import tracemalloc

import msgpack
import pytest

from ssd_wire.codec import decode, encode
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import MESSAGES, Timestep

ALL = tuple(MESSAGES.values())


@pytest.mark.parametrize(
    "shape",
    [[2**31 - 1] * 3, [0, 2**31 - 1, 2**31 - 1], [2**22, 2**21, 2**21]],
    ids=["huge", "huge but empty", "2^64 bytes"],
)
def test_a_huge_shape_allocates_no_memory(shape, draw_message):
    header, _, *arrays = [bytes(frame) for frame in encode(draw_message(Timestep))]
    *before, shapes = msgpack.unpackb(header)
    huge = msgpack.packb([*before, [shape, *shapes[1:]]])
    with pytest.raises(ProtocolError, match="wanted"):
        decode([huge, b"", *arrays], ALL, {})


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xc1",
        b"\x94\xa3act",
        b"\x94\xa3\xff\xff\xff\x01\x90\x90",
        b"\x93\xa3act\x05\x90",
        b"\x00",
        b"\xc0",
        b"\x90" * 2,
        b"\x81\xa1a\x01",
        b"\x94\x80\x01\x90\x90",
        b"\xc4\x01\x00",
        b"\xc7\x00\x05",
        b"\xc7\x08\x05abcdefgh",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xdc\xff\xff" * 21_845,
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 1000 + b"\xc0",
        b"\x91" * 65_535 + b"\xc0",
        b"\x94\xa3act\x05\x90" + b"\x91" * 1000 + b"\xc0",
        b"\x94\xa3act" + b"\x91" * 1000 + b"\xc0\x90\x90",
        b"\x94\xa3act\x05" + b"\x93\x00\x00" + b"\x91" * 1000 + b"\xc0\x91\x91\x02",
        b"\x94\xa3act\x05\x93\x00\x00\x00\x94" + b"\x91" * 1000 + b"\xc0" * 4,
        b"\x94\xa3act\x05\x93\x00\x00\x00\x94\x91" + b"\x91" * 1000 + b"\xc0" * 4,
        bytes(65_537),
    ],
    ids=[
        "nothing",
        "no msgpack",
        "cut short",
        "no UTF-8",
        "a list of three",
        "a number",
        "none",
        "two lists",
        "a map",
        "an empty map within",
        "a binary",
        "an empty extension",
        "an extension",
        "a point in time",
        "lists that claim to be long",
        "a list that claims to be longer",
        "a map that claims to be long",
        "a list nested 1000 deep",
        "a list nested too deep for msgpack",
        "no shapes, nested deep",
        "a version nested deep",
        "a scalar nested deep",
        "shapes nested deep",
        "a length nested deep",
        "too long",
    ],
)
def test_an_invalid_header_is_refused_in_little_memory(header):
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError) as refused:
            decode([header, b"\0\0"], ALL, {})
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * 1024 * 1024
    assert 0 < len(str(refused.value)) < 1000
