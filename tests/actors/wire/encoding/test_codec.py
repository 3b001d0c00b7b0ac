"""Messages are decoded as they were encoded, and invalid ones are refused."""

from dataclasses import replace

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_wire import codec
from ssd_wire.codec import decode, encode
from ssd_wire.errors import ProtocolError
from ssd_wire.fields import layout
from ssd_wire.messages import MESSAGES, Act, Bye, Join, Segment, Timestep

ALL = tuple(MESSAGES.values())
LARGE = {"T": 2, "B": 1100, "N": 2, "W": 3, "P": 7, "A": 4, "S": 3}  # arrays of over 1024 bytes
AXES = ("T", "B", "N", "W", "P", "A", "S", "bytes")
OPTIONAL_AXES = (
    "V",
    "L",
    "Q",
    "D",
    "K",
    "J",
    "R",
)  # some arrays are absent where these have length 0
OPTIONAL = [
    pytest.param(kind, field, id=f"{kind.__name__}.{field.name}")
    for kind in ALL
    for field in layout(kind).arrays
    if field.present_if
]
FLOATS = pytest.mark.parametrize(
    ("kind", "field"),
    [
        pytest.param(kind, field, id=f"{kind.__name__}.{field.name}")
        for kind in ALL
        for field in layout(kind).arrays
        if field.dtype.kind == "f"
    ],
)


def frames_of(message):
    return [bytes(frame) for frame in encode(message)]


def repacked(frames, **changes):
    """The frames with parts of their header replaced."""
    names = ("kind", "version", "scalars", "shapes")
    header = dict(zip(names, msgpack.unpackb(frames[0]), strict=True)) | changes
    return [msgpack.packb(list(header.values())), *frames[1:]]


def same(one, other):
    fields = vars(one)
    return type(one) is type(other) and all(
        np.array_equal(fields[name], value) and type(fields[name]) is type(value)
        for name, value in vars(other).items()
    )


HEADER, ARRAY = ACT = frames_of(Act(1, 0, 7, False, np.array([3, 1], np.uint8)))
WITH_SYMBOL = frames_of(
    Act(1, 0, 7, False, np.array([3, 1], np.uint8), symbol=np.array([0, 2], np.uint8))
)

OUT = [None] * 3  # the shapes of an act's other arrays

lengths_of_axes = st.fixed_dictionaries(
    {axis: st.integers(1, 5) for axis in (*AXES, "C")}
    | {axis: st.integers(0, 3) for axis in OPTIONAL_AXES}
)


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("kind", ALL, ids=MESSAGES)
@given(lengths=lengths_of_axes, seed=st.integers(0, 2**32))
def test_every_message_is_decoded_as_it_was_encoded(kind, lengths, seed, draw_message):
    message = draw_message(kind, lengths, seed)
    decoded = decode(frames_of(message), (kind,), lengths)
    assert same(decoded, message)
    assert same(kind(**vars(decoded)), message)  # it would be valid if it were made here


def test_an_axis_without_a_given_length_may_have_any_length(draw_message):
    message = draw_message(Timestep)
    assert same(decode(frames_of(message), ALL, {}), message)


@settings(max_examples=50, deadline=None)
@given(lengths=lengths_of_axes, named=st.sets(st.sampled_from([*AXES, "C", *OPTIONAL_AXES])))
def test_an_optional_array_may_be_absent_or_not_if_its_axis_has_no_given_length(
    lengths, named, draw_message
):
    known = {axis: length for axis, length in lengths.items() if axis in named}
    for kind in (Timestep, Act, Segment):
        message = draw_message(kind, lengths)
        assert same(decode(frames_of(message), ALL, known), message)


def test_an_absent_array_has_nil_for_a_shape_and_no_frame(draw_message):
    whole = draw_message(Act)
    *_, shapes = msgpack.unpackb(frames_of(replace(whole, symbol=None, responses=None))[0])
    assert shapes == [[2], None, [2, 4], None]
    assert frames_of(replace(whole, symbol=None, responses=None))[1:] == [
        whole.action.tobytes(),
        whole.log_probs.tobytes(),
    ]
    found = decode(WITH_SYMBOL, ALL, {"V": 3, "D": 0, "K": 0})
    assert found.symbol.tolist() == [0, 2]
    assert (found.log_probs, found.responses) == (None, None)


@pytest.mark.parametrize(("kind", "field"), OPTIONAL)
def test_an_optional_array_is_present_exactly_where_its_axis_has_a_length(
    kind, field, lengths, draw_message
):
    whole = draw_message(kind)
    decode(frames_of(whole), ALL, lengths)
    alike = [one.name for one in layout(kind).arrays if one.present_if == field.present_if]
    without = frames_of(replace(whole, **{field.name: None}))
    alone = frames_of(replace(whole, **dict.fromkeys(set(alike) - {field.name})))
    with pytest.raises(ProtocolError, match=f"^{field.name}: wanted an array, found none$"):
        decode(without, ALL, {field.present_if: lengths[field.present_if]})
    with pytest.raises(ProtocolError, match=f"^{field.name}: wanted none, found an array$"):
        decode(alone, ALL, {field.present_if: 0})


@pytest.mark.parametrize("kind", ALL, ids=MESSAGES)
def test_an_array_that_is_not_optional_is_never_absent(kind, draw_message):
    message = draw_message(kind)
    header = frames_of(message)[0]
    shapes = msgpack.unpackb(header)[3]
    for at, field in enumerate(layout(kind).arrays):
        if not field.present_if:
            frames = frames_of(message)
            del frames[1 + at]
            without = [*shapes[:at], None, *shapes[at + 1 :]]
            with pytest.raises(ProtocolError, match=f"{field.name}: wanted an array, found none"):
                decode(repacked(frames, shapes=without), ALL, {})


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        (WITH_SYMBOL[:2], "found 1 frames and 4 shapes, 2 of them of arrays"),
        ([*WITH_SYMBOL, b"\0\0"], "found 3 frames and 4 shapes, 2 of them of arrays"),
        ([*ACT, b"\0\0"], "found 2 frames and 4 shapes, 1 of them of arrays"),
        (
            repacked(WITH_SYMBOL, shapes=[[2], None, None, None]),
            "found 2 frames and 4 shapes, 1 of",
        ),
        (repacked(ACT, shapes=[[2], [2], None, None]), "found 1 frames and 4 shapes, 2 of"),
        (repacked(ACT, shapes=[None] * 4), "found 1 frames and 4 shapes, 0 of"),
        (repacked(ACT[:1], shapes=[None] * 4), "action: wanted an array, found none"),
        (repacked(WITH_SYMBOL, shapes=[[2], [], None, None]), r"symbol: wanted 1 axes, found \[\]"),
        (repacked(WITH_SYMBOL, shapes=[[2], [3], None, None]), r"symbol: wanted B\+0 = 2, found 3"),
        (
            repacked(WITH_SYMBOL, shapes=[[2], False, None, None]),
            "symbol: wanted 1 axes, found False",
        ),
        (repacked(WITH_SYMBOL, shapes=[[2], 0, None, None]), "symbol: wanted 1 axes, found 0"),
        (repacked(WITH_SYMBOL, shapes=[[2], "", None, None]), "symbol: wanted 1 axes, found ''"),
    ],
)
def test_there_is_one_frame_for_each_present_array_and_no_other(frames, found):
    with pytest.raises(ProtocolError, match=found):
        decode(frames, ALL, {})


def test_arrays_in_another_order_are_sent_in_c_order():
    columns = np.arange(10, dtype=np.uint8).reshape(2, 5)[:, 1]
    assert decode(frames_of(Act(1, 0, 0, False, columns)), ALL, {}).action.tolist() == [1, 6]


def test_an_array_too_large_for_a_frame_is_not_sent(draw_message, monkeypatch):
    monkeypatch.setattr(codec, "MAX_FRAME_BYTES", 10)
    with pytest.raises(ValueError, match=r"at most 10 bytes each, found \[.*\(2, 5, 5\)"):
        encode(draw_message(Timestep))


@pytest.mark.parametrize("axis", ["B", "N", "W"])
def test_a_message_with_the_shapes_of_another_run_is_refused(axis, lengths, draw_message):
    frames = frames_of(draw_message(Timestep, lengths | {axis: 4}))
    with pytest.raises(ProtocolError, match=rf"wanted {axis}\+0 = \d, found 4"):
        decode(frames, ALL, lengths)


@pytest.mark.parametrize("changes", [{}, LARGE], ids=["few bytes", "many bytes"])
@pytest.mark.parametrize(
    ("field", "axis"),
    [("pixels", "P"), ("actions", "A"), ("symbols", "V"), ("leader_actions", "A")],
    ids=["colours", "actions", "symbols", "leader_actions"],
)
def test_bytes_are_below_the_length_of_their_axis(field, axis, changes, lengths, draw_message):
    lengths = lengths | changes
    timestep = draw_message(Timestep, lengths)
    array = getattr(timestep, field)
    array.flat[-1] = lengths[axis] - 1
    decode(frames_of(timestep), ALL, lengths)
    array.flat[-1] = lengths[axis]
    with pytest.raises(ProtocolError, match=f"{field}: wanted .*below {lengths[axis]}, found"):
        decode(frames_of(timestep), ALL, lengths)


@pytest.mark.parametrize("changes", [{}, LARGE], ids=["few bytes", "many bytes"])
@pytest.mark.parametrize("byte", [2, 255])
def test_a_bool_is_a_byte_0_or_1(byte, changes, lengths, draw_message):
    lengths = lengths | changes
    timestep = draw_message(Timestep, lengths)
    timestep.visible.view(np.uint8).flat[-1] = byte
    with pytest.raises(ProtocolError, match=f"visible: wanted bytes below 2, found {byte}"):
        decode(frames_of(timestep), ALL, lengths)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@FLOATS
def test_no_number_is_nan_or_infinite(kind, field, number, lengths, draw_message):
    message, name = draw_message(kind), field.name
    getattr(message, name).flat[-1] = number
    with pytest.raises(ProtocolError, match=f"^{name}: wanted finite numbers"):
        decode(frames_of(message), ALL, lengths)


@pytest.mark.parametrize("changes", [{}, LARGE], ids=["few floats", "many floats"])
@FLOATS
def test_floats_are_within_their_bounds(kind, field, changes, lengths, draw_message):
    lengths = lengths | {axis: size for axis, size in changes.items() if axis not in "NT"}
    message = draw_message(kind, lengths)
    array = getattr(message, field.name)
    for bound, beyond in ((field.low, -np.inf), (field.high, np.inf)):
        array.flat[-1] = bound
        if abs(array.flat[-1]) > abs(bound):  # rounded away from 0
            array.flat[-1] = np.nextafter(array.flat[-1], np.float32(0))
        assert same(decode(frames_of(message), ALL, lengths), message)
        array.flat[-1] = np.nextafter(np.float32(bound), np.float32(beyond))
        with pytest.raises(ProtocolError, match=f"^{field.name}: wanted finite numbers of -1e"):
            decode(frames_of(message), ALL, lengths)
        array.flat[-1] = field.low


def test_the_bounds_are_a_million_and_0_for_the_greatest_log_probability():
    fields = [field for kind in ALL for field in layout(kind).arrays if field.dtype.kind == "f"]
    assert len(fields) == 12
    for field in fields:
        is_log_prob = "log_prob" in field.name or field.name == "responses"
        assert (field.low, field.high) == (-1e6, 1e-4 if is_log_prob else 1e6)


@pytest.mark.parametrize("axis", ["B", "T"])
def test_an_array_of_no_floats_is_within_its_bounds(axis, lengths, draw_message):
    message = draw_message(Segment, lengths | {axis: 0})
    assert same(decode(frames_of(message), ALL, {}), message)


def test_a_message_of_an_unwanted_class_is_refused_by_name():
    with pytest.raises(ProtocolError, match="kind: wanted join, bye, found 'act'"):
        decode(ACT, (Join, Bye), {})


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"kind": "unknown"}, "found 'unknown'"),
        ({"kind": 1}, "wanted a kind"),
        ({"kind": ["act"]}, "wanted a kind"),
        ({"version": 2}, "wanted version 6, found 2"),
        ({"version": True}, "wanted version 6, found True"),
        ({"version": 6.0}, r"wanted version 6, found 6\.0"),
        ({"scalars": [1, 0, False]}, "scalars: wanted 4, found 3"),
        ({"scalars": [1, 0, 7, 7, False]}, "scalars: wanted 4, found 5"),
        ({"scalars": [1, True, 7, False]}, "lane: wanted int, found bool"),
        ({"scalars": [1, 0.0, 7, False]}, "lane: wanted int, found float"),
        ({"scalars": [1, -1, 7, False]}, "lane: wanted 0 to"),
        ({"scalars": [1, 64, 7, False]}, "lane: wanted less than 64, found 64"),
        ({"scalars": [1, 2**63, 7, False]}, "lane: wanted 0 to"),
        ({"scalars": [1, "0", 7, False]}, "lane: wanted int, found str"),
        ({"scalars": [1, None, 7, False]}, "lane: wanted int, found NoneType"),
        ({"scalars": 3}, "a list of scalars"),
        (
            {"shapes": []},
            "arrays: wanted 4 shapes and a frame for each, found 1 frames and 0 shapes",
        ),
        ({"shapes": [[2]]}, "found 1 frames and 1 shapes"),
        ({"shapes": [[2], *OUT, None]}, "found 1 frames and 5 shapes"),
        ({"shapes": [2, *OUT]}, "action: wanted 1 axes, found 2"),
        ({"shapes": ["2", *OUT]}, "action: wanted"),
        ({"shapes": [[2, 1], *OUT]}, r"action: wanted 1 axes, found \[2, 1\]"),
        ({"shapes": [[True], *OUT]}, "found True"),
        ({"shapes": [[2.0], *OUT]}, r"found 2\.0"),
        ({"shapes": [["2"], *OUT]}, "found '2'"),
        ({"shapes": [[-2], *OUT]}, "found -2"),
        ({"shapes": [[1], *OUT]}, "action: wanted 1 bytes, found 2"),
        ({"shapes": [[2**31 - 1], *OUT]}, "action: wanted 2147483647 bytes, found 2"),
        ({"shapes": [[2**31], *OUT]}, "found 2147483648"),
        ({"shapes": [[2**64 - 1], *OUT]}, "found 18446744073709551615"),
        ({"shapes": None}, "a list of shapes"),
    ],
    ids=lambda change: repr(change) if isinstance(change, dict) else "",
)
def test_a_header_with_anything_but_its_messages_fields_is_refused(changes, wrong):
    with pytest.raises(ProtocolError, match=wrong):
        decode(repacked(ACT, **changes), ALL, {})


@pytest.mark.parametrize(
    "changes", [{"shapes": [[True], *OUT]}, {"shapes": [[2.0], *OUT]}], ids=repr
)
def test_a_length_is_an_int_even_if_another_type_would_equal_it(changes):
    length = changes["shapes"][0][0]
    with pytest.raises(ProtocolError, match="action: wanted"):
        decode(repacked(ACT, **changes), ALL, {"B": int(length)})


@pytest.mark.parametrize("frames", [[], [b"\xc0"] * 3], ids=["no frame", "no header"])
def test_frames_without_a_header_are_refused(frames):
    with pytest.raises(ProtocolError, match="header: wanted"):
        decode(frames, ALL, {})


@pytest.mark.parametrize(
    "frames",
    [
        [HEADER],
        [HEADER, ARRAY, ARRAY],
        [HEADER, ARRAY[:-1]],
        [HEADER, ARRAY + b"\0"],
        [HEADER, b""],
        [ARRAY, HEADER],
        [HEADER + b"\0", ARRAY],
        [HEADER[:-1], ARRAY],
    ],
    ids=[
        "frame missing",
        "frame too many",
        "frame short",
        "frame long",
        "frame empty",
        "swapped",
        "header long",
        "header short",
    ],
)
def test_each_frame_is_present_once_and_complete(frames):
    with pytest.raises(ProtocolError):
        decode(frames, ALL, {})


def test_no_message_has_more_fields_than_the_limit_of_a_header():
    for kind in ALL:
        fields = layout(kind)
        assert max(len(fields.scalars), len(fields.arrays), 4) <= codec.MAX_LIST_LENGTH
