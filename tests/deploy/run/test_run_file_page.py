"""The page of run-file keys matches the settings."""

from pathlib import Path

import pytest

from ssd_run.run_config import SETTINGS
from ssd_run.run_file_page import meanings, page

PAGE = Path(__file__).parents[3] / "deploy" / "RUN_FILE.md"


def test_the_page_matches_the_settings():
    assert PAGE.read_text() == page(), (
        "update it with python -m ssd_run.run_file_page > deploy/RUN_FILE.md"
    )


@pytest.mark.parametrize("section", SETTINGS)
def test_a_section_s_docstring_explains_its_keys_and_no_others(section):
    assert meanings(SETTINGS[section]).keys() == SETTINGS[section].model_fields.keys()
