"""Random messages of a small run, and a directory for sockets."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ssd_wire.dims import Dims
from ssd_wire.fields import CONSTANT_AXES, layout

DIMS = Dims(B=2, N=3, A=4, W=5, P=7, T=3, S=6, V=8, L=1, Q=1, D=1, K=2, J=3, C=5, R=3)
LENGTHS = {**DIMS.lengths, "bytes": 9}  # no array is absent


@pytest.fixture(scope="session")
def lengths():
    """Lengths of the axes of a small run."""
    return LENGTHS


@pytest.fixture(scope="session")
def draw_message():
    """Makes a random valid message of a class."""

    def draw(kind, lengths=LENGTHS, seed=0):
        random = np.random.default_rng(seed)
        fields = layout(kind)
        scalars = {one.name: draw_scalar(one, random) for one in fields.scalars}
        all_lengths = CONSTANT_AXES | lengths
        return kind(
            **scalars, **{one.name: draw_array(one, all_lengths, random) for one in fields.arrays}
        )

    return draw


def draw_scalar(field, random):
    number = int(random.integers(2**63, dtype=np.uint64))
    text = "".join(map(chr, random.integers(32, 0xD800, number % 1025)))
    return {int: number % field.below, bool: bool(number % 2), str: text}[field.kind]


def draw_array(field, lengths, random):
    if field.present_if and not lengths[field.present_if]:
        return None
    shape = [lengths[axis] + more for axis, more in field.axes]
    if field.dtype.kind == "f":
        return np.minimum(random.standard_normal(shape, field.dtype), np.float32(field.high))
    bound = lengths.get(field.below, 256)
    return random.integers(bound, size=shape, dtype=np.uint8).view(field.dtype)


@pytest.fixture
def socket_dir():
    """A directory with a path short enough for ipc sockets."""
    path = Path(tempfile.mkdtemp(prefix="wire-"))
    yield path
    shutil.rmtree(path)
