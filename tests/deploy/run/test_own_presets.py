"""Preset files of a user's own: with a base or without, listed, and refused where invalid."""

import tomllib

import pytest
from click.testing import CliRunner

from ssd_run.cli import main
from ssd_run.presets import listing, load_config, load_preset
from ssd_run.run_config import validate
from ssd_wire.errors import RunFileError


@pytest.fixture
def write(tmp_path):
    """Writes preset files into one folder; their paths are longer than any preset's name."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.toml").write_text(text)
        return tmp_path

    return write


MINE = '[preset]\nbase = "cleanup-moa"\nabout = "short episodes"\n[game]\nhorizon = 100\n'


def place_of(name, *arguments):
    """The heading under which a preset is listed, and the first line of its text."""
    result = CliRunner().invoke(main, ["--list", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    at = next(number for number, line in enumerate(lines) if line.split()[:1] == [str(name)])
    heading = next(line for line in lines[at::-1] if line[:1].strip())
    text = [*lines[at].split(maxsplit=1)[1:], *map(str.strip, lines[at + 1 : at + 2]), ""]
    return heading, text[0]


def test_a_users_preset_file_is_listed_in_the_group_of_its_base(write):
    path = write(mine=MINE) / "mine.toml"
    assert place_of(path, path) == ("III. Models of other agents", "short episodes")


def test_a_users_preset_file_is_listed_in_the_group_that_it_names(write):
    path = write(mine=MINE.replace("about", 'group = "Mine"\nabout')) / "mine.toml"
    assert place_of(path, path) == ("Mine", "short episodes")


def test_all_presets_in_a_folder_are_listed_even_without_a_preset_section(write):
    folder = write(mine=MINE, other='[game]\nname = "harvest"\n')
    assert place_of(folder / "mine.toml", folder)
    assert place_of(folder / "other.toml", folder) == (listing.NO_GROUP, "")
    assert place_of("cleanup-moa", folder)


def test_an_invalid_file_in_a_listed_folder_is_named(write):
    folder = write(mine='[preset]\nabuot = "x"\n')
    result = CliRunner().invoke(main, ["--list", str(folder)])
    assert result.exit_code == 78
    assert f"{folder / 'mine.toml'}: [preset] abuot: no such key: did you mean" in result.output


def test_a_preset_has_the_values_of_its_base_except_those_it_sets(write):
    config = load_config(str(write(mine=MINE) / "mine.toml"))
    base = load_config("cleanup-moa")
    assert config.game == base.game.model_copy(update={"horizon": 100})
    assert (config.experiment, config.learning) == (base.experiment, base.learning)
    assert (config.preset.name, config.preset.paper) == ("mine", "")


def test_a_base_can_have_a_base_and_its_path_is_relative_to_the_file(write, monkeypatch):
    folder = write(first=MINE, second='[preset]\nbase = "first.toml"\n[run]\nseed = 9\n')
    monkeypatch.chdir("/")
    config = load_config(str(folder / "second.toml"))
    assert (config.run.seed, config.game.horizon, config.experiment.beta) == (9, 100, 0.62)


def test_the_run_file_of_a_preset_with_a_base_has_all_values_and_no_base(write):
    config = load_config(str(write(mine=MINE) / "mine.toml"))
    assert "base =" not in config.toml()
    assert validate(tomllib.loads(config.toml())) == config


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ('"clenup-moa"', r"mine.toml: \[preset\] base: no preset .* did you mean cleanup-moa\?"),
        ('"none.toml"', r"none\.toml: cannot be read"),
        ("3", r"mine.toml: \[preset\] base: wanted a preset's name or path, found 3"),
        ('"mine.toml"', r"is circular: mine.toml → mine.toml"),
        ('"back.toml"', r"is circular: mine.toml → back.toml → mine.toml"),
    ],
)
def test_an_invalid_base_is_refused(write, base, message):
    folder = write(mine=f"[preset]\nbase = {base}\n", back='[preset]\nbase = "mine.toml"\n')
    with pytest.raises(RunFileError, match=message):
        load_preset(str(folder / "mine.toml"))


def test_unknown_preset_is_refused_with_the_nearest_name():
    with pytest.raises(RunFileError, match="did you mean cleanup-moa"):
        load_preset("clenup-moa")


def test_a_users_file_is_a_preset_named_after_it(tmp_path):
    (tmp_path / "mine.toml").write_text('[game]\nname = "harvest"\nagents = 3\n')
    config = load_config(str(tmp_path / "mine.toml"))
    assert (config.preset.name, config.game.agents) == ("mine", 3)
    assert config.learning.gamma == 0.99  # what it does not set takes the default


def test_a_missing_file_is_named():
    with pytest.raises(RunFileError, match=r"no/such\.toml"):
        load_preset("no/such.toml")
