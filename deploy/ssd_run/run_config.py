"""The configuration of a run: all sections of its run file, validated by their packages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tomli_w
from pydantic import BaseModel, ConfigDict

from ssd_envs.spec import GameSettings
from ssd_influence.roles import role_of
from ssd_influence.settings import ExperimentSettings, NetworkSettings
from ssd_learner.settings import LearningSettings
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import (
    RunSettings,
    Sections,
    did_you_mean,
    errors_in_section,
    override,
    section,
)


class PresetSettings(BaseModel):
    """The run file's [preset]: what the run is called, for people; no process reads it.

    Args:
        name: What the run is called; by default the name of the file, without `.toml`.
        about: One line on what it is.
        paper: Where in the paper its numbers are.
        group: Heading that `ssd-train --list` shows it under; that of its `base` by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str = ""
    paper: str = ""
    group: str | None = None


SETTINGS: dict[str, type[BaseModel]] = {
    "preset": PresetSettings,
    "run": RunSettings,
    "game": GameSettings,
    "experiment": ExperimentSettings,
    "network": NetworkSettings,
    "learning": LearningSettings,
}
"""The sections of a run file, in order, each with the settings that validate it."""


@dataclass(frozen=True)
class RunConfig:
    """A valid run file."""

    preset: PresetSettings
    run: RunSettings
    game: GameSettings
    experiment: ExperimentSettings
    network: NetworkSettings
    learning: LearningSettings

    @property
    def segment_steps(self) -> int:
        """Own-steps in one segment: T steps of the B games of a lane."""
        return self.run.segment * self.run.games

    def sections(self) -> dict[str, dict[str, Any]]:
        """All values of all sections, defaults included; only those that are None are left out."""
        return {name: getattr(self, name).model_dump(exclude_none=True) for name in SETTINGS}

    def toml(self) -> str:
        """The run file as text; `load_run_file` reads it."""
        return tomli_w.dumps(self.sections(), multiline_strings=True)


def validate(sections: Sections) -> RunConfig:
    """The configuration that these sections describe; missing keys have their defaults.

    Raises:
        RunFileError: naming the unknown section, or the key and the values that it takes, or why
            the experiment does not fit the game's agents.
    """
    if unknown := sorted(set(sections) - set(SETTINGS)):
        hints = [f"unknown section [{name}]: {did_you_mean(name, SETTINGS)}" for name in unknown]
        raise RunFileError("\n".join(hints))
    valid: dict[str, Any] = {n: section(sections, n, model) for n, model in SETTINGS.items()}
    config = RunConfig(**valid)
    if conflict := config.learning.conflict(config.run):
        raise RunFileError(f"[learning] {conflict}")
    with errors_in_section("experiment"):
        role_of(config.experiment, 0, config.game.agents)
    return config


def check_deterministic(
    run: RunSettings, arenas: int | None, devices: Iterable[str], nodes: int = 1
) -> None:
    """Refuse a deterministic run of a size for which its promise does not hold.

    Args:
        run: Section of the run file.
        arenas: As given by the user; None for the default.
        devices: Of the learners.
        nodes: On which it runs.

    Raises:
        RunFileError: naming what was wanted and what was found.
    """
    if not run.deterministic:
        return
    if arenas not in (None, 1):
        raise RunFileError(f"a deterministic run: wanted one arena, found {arenas}")
    if nodes > 1:
        raise RunFileError(f"a deterministic run: wanted one node, found {nodes}")
    if other := set(devices) - {"cpu"}:
        raise RunFileError(f"a deterministic run: wanted --device cpu, found {min(other)}")


def check_agrees(kept: RunConfig, stated: Sections, assignments: Iterable[str]) -> None:
    """Refuse to resume a run with other settings.

    Args:
        kept: The configuration of the run.
        stated: Sections of the preset that is given now, or none.
        assignments: Given now, as ``section.key=value``.

    Raises:
        RunFileError: naming every key that differs.
    """
    lines = [
        _difference(kept, name, key, value)
        for name, keys in override(stated, assignments).items()
        if name != "preset"
        for key, value in keys.items()
        if not _agrees(kept, name, key, value)
    ]
    if lines:
        raise RunFileError("\n".join(["a resumed run keeps its settings:", *lines]))


def _difference(kept: RunConfig, name: str, key: str, value: object) -> str:
    if name not in SETTINGS:
        return f"unknown section [{name}]: {did_you_mean(name, SETTINGS)}"
    if key not in SETTINGS[name].model_fields:
        return f"[{name}] {key}: no such key: {did_you_mean(key, SETTINGS[name].model_fields)}"
    return f"[{name}] {key}: wanted {kept.sections()[name].get(key)!r}, found {value!r}"


def _agrees(kept: RunConfig, name: str, key: str, value: object) -> bool:
    ours = kept.sections()
    try:
        theirs = validate({**ours, name: {**ours.get(name, {}), key: value}})
    except RunFileError:
        return False
    return theirs == kept
