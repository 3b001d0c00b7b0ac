"""The examples' run files are runs, and are changed like any other."""

from pathlib import Path

import pytest

from ssd_run.presets import load_config, load_preset
from ssd_run.run_config import validate
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import override

EXAMPLES = Path(__file__).parents[2] / "deploy" / "examples"
OWN_GAME = str(EXAMPLES / "own_game" / "run.toml")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/run.toml")), ids=lambda p: p.parent.name)
def test_an_examples_run_file_written_out_reads_back_the_same(path):
    config = load_config(str(path))
    assert validate(config.sections()) == config


def test_one_parameter_of_a_users_game_can_be_changed():
    config = load_config(OWN_GAME, ["game.own={growth=0.1}"])
    assert config.game.own == {"growth": 0.1, "sowing": 0.2}


def test_a_game_that_cannot_be_imported_is_an_error_in_the_run_file():
    sections = override(load_preset(OWN_GAME), ["game.name=own_game.gam:COMMONS"])
    with pytest.raises(RunFileError, match=r"^\[game\] name: .*cannot import own_game.gam:COMMONS"):
        validate(sections)
