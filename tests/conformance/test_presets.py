"""Three presets that, with those of tests/system, have every kind of message and of reward."""

from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.timeout(600)  # processes start slowly on a busy machine

PRESETS = ("harvest-basic", "cleanup-communication", "harvest-inequity-averse")


def test_presets_train_and_go_on_with_the_papers_numbers(conform):
    with ThreadPoolExecutor() as pool:  # most of the time they start and stop
        assert all(steps > 0 for steps in pool.map(conform, PRESETS))
