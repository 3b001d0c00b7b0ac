"""Returns of random play, compared with the public implementation of Cleanup and Harvest.

Box Trapped has no public implementation: its figures are those of the literal rules in
`test_box_trapped.py`.
"""

import numpy as np
import pytest

from ssd_envs.batch import GameBatch
from ssd_envs.spec import GameSettings

EPISODES = 60


@pytest.mark.parametrize(
    ("name", "without_7", "measured"),
    [
        ("cleanup", False, [(-4821, 151), (-4652, 137)]),
        ("cleanup", True, [(26.5, 1.4), (28.3, 1.9)]),
        ("harvest", False, [(-3276, 161), (-3488, 164)]),
        ("harvest", True, [(318.7, 5.5), (331.1, 5.5)]),
        ("box-trapped", False, [(23.8, 1.1), (23.7, 1.0)]),
        ("box-trapped", True, [(17.1, 1.0), (15.0, 1.0)]),
    ],
    ids=[
        "cleanup",
        "cleanup without fire",
        "harvest",
        "harvest without fire",
        "box trapped",
        "box trapped without opening",
    ],
)
def test_returns_of_random_play_match_the_reference_within_three_standard_errors(
    name, without_7, measured
):
    """`measured`: mean collective return and its standard error, of two sets of 60 episodes."""
    batch = GameBatch(GameSettings(name=name), EPISODES)
    choices = np.arange(batch.spec.num_actions, dtype=np.uint8)
    if without_7:
        choices = np.delete(choices, 7)
    rng = np.random.default_rng(1)
    batch.reset(np.arange(EPISODES, dtype=np.uint64))
    while not batch.ended.all():
        batch.step(rng.choice(choices, size=(EPISODES, batch.spec.num_agents)))
    collective = batch.returns.sum(1)
    error = collective.std(ddof=1) / EPISODES**0.5
    (first, first_error), (second, second_error) = measured
    expected, expected_error = (first + second) / 2, np.hypot(first_error, second_error) / 2
    assert collective.mean() == pytest.approx(expected, abs=3 * np.hypot(error, expected_error))
