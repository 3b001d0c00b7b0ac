"""Run files: sections, overrides, and errors that say what to change."""

import pytest
from pydantic import BaseModel, ConfigDict

from ssd_wire.errors import RunFileError
from ssd_wire.run_file import (
    RunSettings,
    errors_in_section,
    load_complete_run_file,
    load_run_file,
    override,
    section,
)


@pytest.fixture
def load(tmp_path):
    def write_and_load(text):
        path = tmp_path / "run.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_run_file(path)

    return write_and_load


class Sweets(BaseModel):
    """A section of some other package."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    weight: float = 1.0
    many: tuple[int, ...] = ()


def test_a_section_is_validated_by_its_settings(load):
    sections = load('[run]\nlanes = 3\n[sweets]\nkind = "toffée"\nmany = [1, 2]')
    assert section(sections, "run", RunSettings) == RunSettings(lanes=3)
    assert section(sections, "sweets", Sweets) == Sweets(kind="toffée", many=(1, 2))


def test_an_absent_section_has_all_its_defaults(load):
    assert section(load(""), "run", RunSettings) == RunSettings()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[run", "is not TOML"),
        ("[run]\nseed = 1\nseed = 2", "is not TOML"),
        ("seed = 1", r"wanted \[sections\] only, found the key 'seed' outside"),
        ("[[run]]", r"wanted \[sections\] only, found the key 'run' outside"),
        (b"[run]\n# caf\xe9", "cannot be read"),
    ],
    ids=["no TOML", "a key twice", "a key outside", "a list of sections", "no UTF-8"],
)
def test_the_error_for_an_invalid_run_file_names_the_file(text, wrong, load):
    with pytest.raises(RunFileError, match=rf"run\.toml: {wrong}"):
        load(text)


def test_a_byte_order_mark_is_ignored(tmp_path):
    (tmp_path / "run.toml").write_text("[run]\nseed = 3\n", encoding="utf-8-sig")
    assert load_run_file(tmp_path / "run.toml") == {"run": {"seed": 3}}


def test_the_error_for_a_missing_run_file_names_the_file(tmp_path):
    with pytest.raises(RunFileError, match=r"nowhere\.toml: cannot be read: .*No such file"):
        load_run_file(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("lanes = 0", [r"\[run\] lanes: .*greater than or equal to 1, found 0"]),
        ('seed = "x"', [r"\[run\] seed: .*integer.*, found 'x'"]),
        ("lines = 2", [r"\[run\] lines: no such key: did you mean lanes\?"]),
        (
            "games = 5000\nwindow = 1.5",
            [r"\[run\] games: .*4096, found 5000", r"\[run\] window: .*integer.*found 1\.5"],
        ),
    ],
    ids=["out of range", "another type", "an unknown key", "two at once"],
)
def test_the_error_for_an_invalid_setting_names_it_and_what_was_wanted_and_found(text, lines, load):
    with pytest.raises(RunFileError, match="\n".join(lines)) as refused:
        section(load(f"[run]\n{text}"), "run", RunSettings)
    assert len(str(refused.value).splitlines()) == len(lines)


def test_errors_name_missing_settings_and_list_elements(load):
    with pytest.raises(RunFileError, match=r"\[sweets\] kind: wanted a value, found none"):
        section(load(""), "sweets", Sweets)
    with pytest.raises(RunFileError, match=r"\[sweets\] many\.1: .*integer.*, found 'x'"):
        section(load('[sweets]\nkind = "k"\nmany = [1, "x"]'), "sweets", Sweets)


def test_later_errors_in_a_section_name_it_too():
    message = r"^\[sweets\] many: wanted 1, found 2$"
    with pytest.raises(RunFileError, match=message), errors_in_section("sweets"):
        raise ValueError("many: wanted 1, found 2")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("inf", float("inf")),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"quoted"', "quoted"),
        ('"3"', "3"),
        ("bare", "bare"),
        ("two words", "two words"),
        ("a=b", "a=b"),
        ("maps/room.txt", "maps/room.txt"),
        ("###\n#+#\n###", "###\n#+#\n###"),
        ("", ""),
    ],
)
def test_an_override_is_toml_or_else_text(text, value):
    found = override({}, [f"sweets.key={text}"])["sweets"]["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[experimnt]", r"unknown section \[experimnt\]: did you mean experiment\?"),
        ('[preset]\nbase = "cleanup-moa"', r"\[preset\] base: wanted a complete run file"),
    ],
    ids=["mistyped", "with a base"],
)
def test_a_process_refuses_a_run_file_of_which_it_would_ignore_a_part(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RunFileError, match=message):
        load_complete_run_file(path)


def test_overrides_apply_in_order_and_change_nothing_else():
    sections = {"run": {"seed": 1, "lanes": 2}}
    changed = override(sections, ["run.seed=3", " run.seed =4", "game.name=harvest"])
    assert changed == {"run": {"seed": 4, "lanes": 2}, "game": {"name": "harvest"}}
    assert sections == {"run": {"seed": 1, "lanes": 2}}


@pytest.mark.parametrize("text", ["run.seed", "seed=1", "run.=1", ".seed=1", "=1", ""])
def test_the_error_for_a_malformed_override_quotes_it(text):
    with pytest.raises(RunFileError, match=f"wanted section.key=value, found '{text}'"):
        override({}, [text])
