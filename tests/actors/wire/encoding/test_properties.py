"""Every valid message survives its encoding; every byte of it counts."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ssd_wire.codec import decode, encode
from ssd_wire.errors import ProtocolError
from ssd_wire.fields import CONSTANT_AXES, MAX_NATURAL, MAX_TEXT_LENGTH, layout
from ssd_wire.messages import MESSAGES

ALL_MESSAGES = pytest.mark.parametrize("kind", MESSAGES.values(), ids=MESSAGES)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

axis_lengths = st.fixed_dictionaries(
    {axis: st.integers(1, 3) for axis in ("B", "N", "A", "W", "P", "T", "S", "C")}
    | {axis: st.integers(0, 2) for axis in ("V", "L", "Q", "D", "K", "J", "R", "bytes")}
)


def scalars(field):
    """All values of a scalar field."""
    naturals = st.integers(0, min(MAX_NATURAL, field.below - 1))
    texts = st.text(st.characters(codec="utf-8"), max_size=MAX_TEXT_LENGTH)
    return {int: naturals, bool: st.booleans(), str: texts}[field.kind]


def arrays(field, lengths):
    """All values of an array field where axes have these lengths."""
    if field.present_if and not lengths[field.present_if]:
        return st.none()
    shape = tuple(lengths[axis] + more for axis, more in field.axes)
    if field.dtype.kind == "f":
        low = np.nextafter(np.float32(field.low), np.float32(0), dtype=np.float32)
        high = np.nextafter(np.float32(field.high), np.float32(0), dtype=np.float32)
        elements = st.floats(float(low), float(high), width=32)
    elif field.dtype.kind == "b":
        elements = st.booleans()
    else:
        elements = st.integers(0, lengths.get(field.below, 256) - 1)
    return arrays_of.arrays(field.dtype, shape, elements=elements)


@st.composite
def messages(draw, kind):
    """A valid message of a class, and the lengths of its run's axes."""
    lengths = CONSTANT_AXES | draw(axis_lengths)
    fields = layout(kind)
    values = {field.name: draw(scalars(field)) for field in fields.scalars}
    values |= {field.name: draw(arrays(field, lengths)) for field in fields.arrays}
    return kind(**values), lengths


def frames_of(message):
    return [bytes(frame) for frame in encode(message)]


def places_of_bytes(frames):
    """The indices of frames that are not empty."""
    return st.sampled_from([at for at, frame in enumerate(frames) if frame])


@ALL_MESSAGES
@QUICK
@given(data=st.data())
def test_every_valid_message_is_decoded_as_it_was_encoded(kind, data):
    message, lengths = data.draw(messages(kind))
    frames = frames_of(message)
    decoded = decode(frames, (kind,), lengths)
    assert frames_of(decoded) == frames
    for field in layout(kind).arrays:
        array, wanted = getattr(decoded, field.name), getattr(message, field.name)
        assert (array is None) == (wanted is None)
        assert array is None or (array.dtype, array.shape) == (wanted.dtype, wanted.shape)


@ALL_MESSAGES
@QUICK
@given(data=st.data())
def test_a_message_with_a_changed_byte_is_refused_or_is_another_valid_message(kind, data):
    message, lengths = data.draw(messages(kind))
    frames = frames_of(message)
    at = data.draw(places_of_bytes(frames))
    place = data.draw(st.integers(0, len(frames[at]) - 1))
    changed = bytearray(frames[at])
    changed[place] ^= data.draw(st.integers(1, 255))
    frames[at] = bytes(changed)
    try:
        decoded = decode(frames, (kind,), lengths)
    except ProtocolError:
        return
    assert kind(**vars(decoded))
    again = frames_of(decoded)
    assert again[1:] == frames[1:]
    assert at > 0 or again[0] != frames_of(message)[0]


@ALL_MESSAGES
@QUICK
@given(data=st.data())
def test_a_message_cut_short_is_refused(kind, data):
    message, lengths = data.draw(messages(kind))
    frames = frames_of(message)
    at = data.draw(places_of_bytes(frames))
    cut = data.draw(st.integers(0, len(frames[at]) - 1))
    with pytest.raises(ProtocolError):
        decode([*frames[:at], frames[at][:cut], *frames[at + 1 :]], (kind,), lengths)
    with pytest.raises(ProtocolError):
        decode(frames[:at], (kind,), lengths)
