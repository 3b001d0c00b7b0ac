"""Messages of a small run, drawn from their annotations, and a place for sockets."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ssd_wire.fields import CONSTANT_AXES, layout

SIZES = {"T": 3, "B": 2, "N": 3, "W": 5, "P": 7, "A": 4, "S": 6, "bytes": 9}


@pytest.fixture(scope="session")
def sizes():
    """Lengths of the axes of a small run."""
    return SIZES


@pytest.fixture(scope="session")
def draw_message():
    """Draw a valid message of a kind, with every value its fields may hold."""

    def draw(kind, sizes=SIZES, seed=0):
        random = np.random.default_rng(seed)
        fields = layout(kind)
        values = {name: draw_scalar(of, random) for name, of in fields.scalars}
        return kind(**values, **{field.name: draw_array(field, random) for field in fields.arrays})

    def draw_scalar(of, random):
        text = "".join(chr(n) for n in random.integers(32, 0xD800, random.integers(0, 1025)))
        number = int(random.integers(0, 2**63, dtype=np.uint64))
        return {int: number, bool: bool(number % 2), str: text}[of]

    def draw_array(field, random):
        lengths = CONSTANT_AXES | sizes
        shape = [lengths[axis] + more for axis, more in field.axes]
        if field.dtype.kind == "f":
            return random.standard_normal(shape, field.dtype)
        return random.integers(0, lengths.get(field.below, 256), shape, np.uint8).view(field.dtype)

    lengths, sizes = {}, SIZES

    def draw_with(kind, sizes=SIZES, seed=0):
        return draw(kind, sizes, seed)

    del lengths
    return draw_with


@pytest.fixture
def socket_dir():
    """A directory whose path leaves room for that of a socket in it."""
    path = Path(tempfile.mkdtemp(prefix="ssd-"))
    yield path
    shutil.rmtree(path)
