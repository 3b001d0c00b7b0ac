"""A segment that the codec accepts never makes an update that is not finite."""

from dataclasses import replace

import numpy as np
import pytest

from ssd_learner.training import train
from ssd_wire.codec import decode, encode
from ssd_wire.fields import layout
from ssd_wire.messages import Segment

EXTREME = [
    pytest.param({}, id="all of them"),
    *(
        pytest.param({field.name}, id=field.name)
        for field in layout(Segment).arrays
        if field.dtype.kind == "f"
    ),
]
COMMUNICATION = {
    "influence": "moa_communication",
    "symbols": 3,
    "reward": "prosocial",
    "beta": 1.0,
}
ALGORITHMS = pytest.mark.parametrize(
    "learning",
    [
        {"algorithm": "vtrace"},
        {"algorithm": "vtrace", "optimizer": "rmsprop"},
        {"algorithm": "ppo", "horizon": 8},
        {"algorithm": "ppo", "horizon": 8, "advantages": "vtrace"},
        {"algorithm": "ppo", "horizon": 8, "normalise_values": False},
        {"algorithm": "ppo", "horizon": 8, "normalise_advantages": False},
    ],
    ids=lambda learning: "-".join(map(str, learning.values())),
)


def bounds_of(segment, names, signs):
    """The segment with the least and the greatest allowed numbers in some of its float arrays."""
    arrays = {}
    for field in layout(Segment).arrays:
        array = getattr(segment, field.name)
        if field.dtype.kind == "f" and array is not None and (not names or field.name in names):
            chosen = signs.integers(0, 2, array.shape, dtype=np.uint8).astype(bool)
            arrays[field.name] = np.where(chosen, field.low, field.high).astype(np.float32)
    return replace(segment, **arrays)


def as_received(segment):
    """A segment as it comes off the wire: accepted, and read-only."""
    frames = [bytes(frame) for frame in encode(segment)]
    return decode(frames, (Segment,), {"A": 7, "P": 11, "V": 3, "R": 4})


@ALGORITHMS
@pytest.mark.parametrize("names", EXTREME)
def test_no_accepted_segment_makes_an_update_that_is_not_finite(
    make_trainer, make_segment, learning, names
):
    trainer = make_trainer(experiment=COMMUNICATION, **learning)
    signs = np.random.default_rng(1)
    for number in range(12):
        segment = make_segment(trainer, seed=number)
        if number % 4 == 3:  # among ordinary segments
            segment = bounds_of(segment, names, signs)
        report = train(trainer, [as_received(segment)], lambda: True)
        assert np.isfinite(report.values).all(), (number, report)
        for name, tensor in trainer.state().items():
            assert not tensor.is_floating_point() or tensor.isfinite().all(), (number, name)
