"""What all commands have in common."""

import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
COMMANDS = tomllib.loads(PYPROJECT.read_text())["project"]["scripts"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_its_version(command):
    module, _, name = COMMANDS[command].partition(":")
    result = CliRunner().invoke(getattr(import_module(module), name), ["--version"])
    assert result.exit_code == 0
    assert result.output.rstrip().endswith(f"version {version('ssd-influence')}")
