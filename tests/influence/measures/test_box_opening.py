import numpy as np
import pytest

from ssd_influence.measures import box_opening


def test_the_first_opening_of_an_episode_opens_the_box():
    #                 step 0     1     2     3
    opens = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0], [0, 1, 0, 0]]).T
    opening = box_opening(opens.astype(bool))
    assert opening.share == pytest.approx(4 / 5)
    assert opening.steps.tolist() == [1, 2, 0, 1]
    assert opening.times.tolist() == [1, 2, 2, 1]


def test_a_box_that_is_never_opened_has_no_steps():
    opening = box_opening(np.zeros((4, 3), bool))
    assert opening.share == 0
    assert opening.steps.tolist() == []
    assert opening.times.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 3, 2)])
def test_openings_without_episodes_are_refused(shape):
    with pytest.raises(ValueError, match=r"opens: wanted \[T, E\]"):
        box_opening(np.zeros(shape, bool))
