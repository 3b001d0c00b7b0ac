"""Three presets that, with those of tests/system, have every kind of message and of reward.

With three agents each: one, another, and one that neither is. `make conformance` has them all.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.timeout(600)  # processes start slowly on a busy machine

PRESETS = ("cleanup-basic", "cleanup-communication", "harvest-inequity-averse")


def test_presets_train_and_go_on_with_the_papers_numbers(conform):
    with ThreadPoolExecutor() as pool:  # most of the time they start and stop
        steps = pool.map(lambda preset: conform(preset, "game.agents=3"), PRESETS)
        assert all(trained > 0 for trained in steps)
