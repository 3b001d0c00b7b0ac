"""The page of run-file keys says what the settings say."""

from pathlib import Path

import pytest

from ssd_run.plan import SETTINGS
from ssd_run.reference import meanings, page

PAGE = Path(__file__).parents[3] / "deploy" / "RUN_FILE.md"


def test_the_page_is_that_of_today_s_settings():
    assert PAGE.read_text() == page(), (
        "write it anew: python -m ssd_run.reference > deploy/RUN_FILE.md"
    )


@pytest.mark.parametrize("section", SETTINGS)
def test_a_section_s_docstring_explains_its_keys_and_no_others(section):
    assert meanings(SETTINGS[section]).keys() == SETTINGS[section].model_fields.keys()
