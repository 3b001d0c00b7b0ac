"""Experiments by name: each a TOML file in a folder here, with numbers from the paper's tables."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from ssd_run.plan import Plan, validate
from ssd_wire.errors import RunFileError
from ssd_wire.runfile import Sections, did_you_mean, load_run_file, override

SUFFIX = ".toml"


def preset_names() -> tuple[str, ...]:
    """All presets that come with this package, in alphabetical order."""
    return tuple(sorted(preset_files()))


def load_plan(preset: str, assignments: Iterable[str] = ()) -> Plan:
    """The run that a preset describes, with ``section.key=value`` assignments applied.

    Raises:
        RunFileError: when there is no such preset, or it describes no valid run.
    """
    return validate(override(load_preset(preset), assignments))


def load_preset(preset: str) -> Sections:
    """The sections of a preset, not yet validated; its name stands in [preset].

    A preset may name another as its `base`: it says only what it has otherwise.

    Args:
        preset: A name from `preset_names`, or the path of an own TOML file.

    Raises:
        RunFileError: when there is no such preset, or the file cannot be read.
    """
    is_path = preset.endswith(SUFFIX) or "/" in preset
    path = Path(preset) if is_path else preset_files().get(preset)
    if path is None:
        raise RunFileError(_unknown(preset))
    sections = {name: dict(keys) for name, keys in load_run_file(path).items()}
    about = {"name": path.stem, **sections.get("preset", {})}
    if base := about.pop("base", None):
        sections = _on(load_preset(str(base)), sections)
    sections["preset"] = about
    return sections


def _on(base: Sections, sections: Sections) -> dict[str, dict[str, Any]]:
    """What a preset says, and where it says nothing what its base says."""
    names = dict.fromkeys((*base, *sections))
    return {name: {**base.get(name, {}), **sections.get(name, {})} for name in names}


def preset_files() -> dict[str, Path]:
    """Name → file of all presets here; which folder it lies in says nothing."""
    folder = resources.files(__name__)
    assert isinstance(folder, Path), "presets are files beside this one"  # noqa: S101 - never zipped
    return {path.stem: path for path in folder.glob(f"*/*{SUFFIX}")}


def _unknown(preset: str) -> str:
    hint = did_you_mean(preset, preset_names())
    return f"no preset is called {preset!r}: {hint} (or the path of an own .toml file)"
