"""Three presets, which between them have every kind of message and of reward."""

import pytest

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


@pytest.mark.parametrize(
    "preset", ["harvest-basic", "cleanup-communication", "harvest-inequity-averse"]
)
def test_a_preset_trains_and_goes_on_with_the_papers_numbers(conforms, preset):
    conforms(preset)
