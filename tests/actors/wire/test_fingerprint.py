"""The fingerprint is equal within a run and differs wherever processes must agree."""

import pytest

from ssd_envs.spec import GameSettings
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_wire import run_file
from ssd_wire.run_file import RunSettings, fingerprint, section

MODELS = {
    "run": RunSettings,
    "game": GameSettings,
    "experiment": ExperimentSettings,
    "network": NetworkSettings,
}
RUN = {"game": {"name": "harvest"}}
SETTINGS = {name: section(RUN, name, model) for name, model in MODELS.items()}
KEYS = [(name, key) for name, model in MODELS.items() for key in model.model_fields]


def other_than(value):
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "!"
        case tuple():
            return (*value, "!")
        case _:
            return "!"


def test_the_fingerprint_covers_defaults_whether_they_are_written_or_not():
    written = {name: settings.model_dump() for name, settings in SETTINGS.items()}
    again = [section(written, name, model) for name, model in MODELS.items()]
    assert fingerprint(*again) == fingerprint(*SETTINGS.values())


def test_the_fingerprint_covers_parsed_numbers_and_not_their_notation():
    whole, broken = (ExperimentSettings.model_validate({"alpha": one}) for one in (1, 1.0))
    assert fingerprint(RunSettings(), whole) == fingerprint(RunSettings(), broken)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # other than any valid value
@pytest.mark.parametrize(("name", "key"), KEYS, ids=[f"{name}.{key}" for name, key in KEYS])
def test_the_fingerprint_covers_every_setting_of_these_sections(name, key):
    value = getattr(SETTINGS[name], key)
    other = SETTINGS[name].model_copy(update={key: other_than(value)})
    changed = SETTINGS | {name: other}
    assert fingerprint(*changed.values()) != fingerprint(*SETTINGS.values())


def test_the_fingerprint_covers_the_protocol_version(monkeypatch):
    before = fingerprint(*SETTINGS.values())
    monkeypatch.setattr(run_file, "PROTOCOL_VERSION", run_file.PROTOCOL_VERSION + 1)
    assert fingerprint(*SETTINGS.values()) != before


def test_an_infinite_setting_has_a_different_fingerprint():
    marks = {
        fingerprint(RunSettings(), ExperimentSettings(influence_clip=clip))
        for clip in (10.0, 1e300, float("inf"))
    }
    assert len(marks) == 3


def test_a_fingerprint_is_16_hexadecimal_digits():
    mark = fingerprint(*SETTINGS.values())
    assert len(mark) == 16
    assert set(mark) <= set("0123456789abcdef")
