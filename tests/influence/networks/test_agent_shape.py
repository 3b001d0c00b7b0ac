import dataclasses

import numpy as np
import pytest


def test_others_ascend_by_number_beyond_ten(make_shape):
    assert make_shape(agent=2, num_agents=12).others == (0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"agent": 4}, "agent: wanted 0 … 3, found 4"),
        ({"agent": -1}, "agent: wanted 0 … 3, found -1"),
        ({"num_actions": 0}, "num_actions: wanted at least 1, found 0"),
        ({"view": 2}, "view: wanted at least 3 pixels, found 2"),
        ({"palette": np.zeros((4, 3))}, r"palette: wanted uint8 \[P, 3\], found float64 \[4, 3\]"),
        ({"palette": np.zeros((4, 4), np.uint8)}, r"found uint8 \[4, 4\]"),
    ],
)
def test_an_invalid_shape_is_refused(make_shape, wrong, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_shape(), **wrong)
