"""The page of run-file keys says what the settings say."""

from pathlib import Path

import pytest

from ssd_run.run_config import SETTINGS
from ssd_run.run_file_page import meanings, page

PAGE = Path(__file__).parents[3] / "deploy" / "RUN_FILE.md"


def test_the_page_is_that_of_today_s_settings():
    assert PAGE.read_text() == page(), (
        "write it anew: python -m ssd_run.run_file_page > deploy/RUN_FILE.md"
    )


@pytest.mark.parametrize("section", SETTINGS)
def test_a_section_s_docstring_explains_its_keys_and_no_others(section):
    assert meanings(SETTINGS[section]).keys() == SETTINGS[section].model_fields.keys()
