"""All presets, one after the other: `make conformance`. Too long for the suite."""

import pytest

from ssd_run.presets import preset_names

pytestmark = pytest.mark.timeout(600)  # processes start slowly on a busy machine


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_trains_and_goes_on_with_the_papers_numbers(conform, preset, record_property):
    record_property("preset", preset)
    record_property("steps", conform(preset))
