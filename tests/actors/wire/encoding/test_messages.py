"""Only valid messages can be created."""

import dataclasses

import numpy as np
import pytest

from ssd_wire.fields import Axes, layout
from ssd_wire.messages import MESSAGES, Act, Bye, Join, Refused, Seat, Segment, Timestep

ALL_MESSAGES = pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)


@ALL_MESSAGES
def test_a_message_cannot_be_changed(kind, draw_message):
    message = draw_message(kind)
    field = dataclasses.fields(message)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(message, field, getattr(message, field))


@ALL_MESSAGES
def test_scalars_precede_arrays_in_every_message(kind):
    fields = layout(kind)
    names = [field.name for field in (*fields.scalars, *fields.arrays)]
    assert names == [field.name for field in dataclasses.fields(kind)]


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (-1, "wanted 0 to 9223372036854775807, found -1"),
        (2**63, "found 9223372036854775808"),
        (True, "wanted int, found bool"),
        (1.0, "wanted int, found float"),
        (np.int64(1), "wanted int, found int64"),
        (None, "wanted int, found NoneType"),
    ],
    ids=["negative", "too large", "bool", "float", "numpy", "none"],
)
def test_a_natural_is_an_int_from_0_to_2_63_minus_1(number, wrong):
    with pytest.raises(ValueError, match=f"epoch: .*{wrong}"):
        Bye(number)
    assert Bye(2**63 - 1).epoch == 2**63 - 1


@pytest.mark.parametrize("text", ["x" * 1025, b"x", None], ids=["too long", "bytes", "none"])
def test_a_text_is_a_str_of_at_most_1024_characters(text):
    with pytest.raises(ValueError, match="fingerprint: wanted"):
        Join(0, 1, text)
    assert len(Join(0, 1, "ü" * 1024).fingerprint) == 1024


def test_a_flag_is_a_bool_and_not_a_number():
    with pytest.raises(ValueError, match="fatal: wanted bool, found int"):
        Refused("why", 1)


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        (np.zeros(2, np.int64), "wanted uint8, found int64"),
        (np.zeros(2, np.bool_), "wanted uint8, found bool"),
        ([0, 0], "wanted uint8, found list"),
        (np.zeros((2, 1), np.uint8), r"wanted 1 axes, found \(2, 1\)"),
        (np.array(0, np.uint8), r"wanted 1 axes, found \(\)"),
    ],
    ids=["integers", "bools", "a list", "one axis more", "no axis"],
)
def test_an_array_has_the_dtype_and_the_axes_of_its_field(action, wrong):
    with pytest.raises(ValueError, match=f"action: {wrong}"):
        Act(1, 0, 0, False, action)


@pytest.mark.parametrize(
    ("field", "array", "wrong"),
    [
        ("action", None, "wanted uint8, found NoneType"),
        ("symbol", np.zeros(2, np.int64), "wanted uint8, found int64"),
        ("symbol", np.zeros(3, np.uint8), r"wanted B\+0 = 2, found 3"),
        ("log_probs", np.zeros((2, 4)), "wanted float32, found float64"),
        ("responses", np.zeros((2, 2, 5, 3), np.float32), r"wanted A\+0 = 4, found 3"),
        ("responses", np.zeros((2, 5, 4), np.float32), r"wanted 4 axes, found \(2, 5, 4\)"),
    ],
)
def test_only_optional_arrays_may_be_none_and_present_ones_fit(field, array, wrong, draw_message):
    act = draw_message(Act)
    assert dataclasses.replace(act, symbol=None, log_probs=None, responses=None).symbol is None
    with pytest.raises(ValueError, match=f"{field}: {wrong}"):
        dataclasses.replace(act, **{field: array})


@pytest.mark.parametrize(
    ("field", "shape"),
    [("pixels", (2, 5, 4)), ("is_first", (3,)), ("visible", (2, 4)), ("actions", (3, 3))],
)
def test_an_axis_has_the_same_length_throughout_a_message(field, shape, draw_message):
    timestep = draw_message(Timestep)
    array = np.zeros(shape, getattr(timestep, field).dtype)
    with pytest.raises(ValueError, match=r"wanted [BNW]\+0 = \d, found \d"):
        dataclasses.replace(timestep, **{field: array})


def test_a_message_with_big_endian_floats_cannot_be_created(draw_message):
    with pytest.raises(ValueError, match="reward: wanted float32, found >f4"):
        dataclasses.replace(draw_message(Timestep), reward=np.zeros(2, ">f4"))


def test_a_palette_has_three_bytes_for_each_colour(draw_message):
    with pytest.raises(ValueError, match=r"palette: wanted 3\+0 = 3, found 4"):
        dataclasses.replace(draw_message(Seat), palette=np.zeros((5, 4), np.uint8))


def test_only_single_bytes_can_be_below_the_length_of_an_axis():
    assert Axes("uint8", "B", below="A").below == "A"
    with pytest.raises(ValueError, match="single bytes only, found float32"):
        Axes("float32", "B", below="A", low=-1, high=1)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("float32", 0, 0),
        ("float32", -1, 0),
        ("float32", -1, 2),
        ("float32", -np.inf, 1),
        ("float32", -np.inf, np.inf),
        ("uint8", -1, 1),
        ("bool", -1, 1),
    ],
)
def test_every_array_of_floats_has_bounds_and_no_other(dtype, low, high):
    assert Axes("float32", "B", low=-2, high=1).high == 1
    with pytest.raises(ValueError, match="bounds: wanted them of floats only"):
        Axes(dtype, "B", low=low, high=high)


@pytest.mark.parametrize("kind", [Timestep, Act, Segment])
def test_a_lane_is_below_64(kind, draw_message):
    message = draw_message(kind)
    assert dataclasses.replace(message, lane=63).lane == 63
    with pytest.raises(ValueError, match="lane: wanted less than 64, found 64"):
        dataclasses.replace(message, lane=64)
