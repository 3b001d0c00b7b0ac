"""Experiments by name: each a TOML file in a folder here, with numbers from the paper's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from ssd_run.run_config import RunConfig, validate
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import Sections, did_you_mean, load_run_file, override

SUFFIX = ".toml"


def preset_names() -> tuple[str, ...]:
    """All presets that come with this package, in alphabetical order."""
    return tuple(sorted(preset_files()))


def preset_files() -> dict[str, Path]:
    """Name → file of all presets that come with this package."""
    folder = resources.files(__name__)
    assert isinstance(folder, Path), "presets are files beside this one"  # noqa: S101 - never zipped
    return {path.stem: path for path in folder.glob(f"*/*{SUFFIX}")}


def load_config(preset: str, assignments: Iterable[str] = ()) -> RunConfig:
    """The run that a preset describes, with ``section.key=value`` assignments applied.

    Raises:
        RunFileError: when there is no such preset, or it describes no valid run.
    """
    return validate(override(load_preset(preset), assignments))


def load_preset(preset: str) -> Sections:
    """The sections of a preset, not yet validated; its name is in [preset].

    A preset that names a `base` has the values of that preset, except for those it sets itself.

    Args:
        preset: A name from `preset_names`, or the path of a TOML file.

    Raises:
        RunFileError: when there is no such preset or base, or a file cannot be read.
    """
    return _load(preset, Path(), ())


def _load(preset: str, folder: Path, derived: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """The sections of a preset.

    Args:
        preset: A name, or a path from a folder.
        folder: That folder.
        derived: Files of the presets of which this is the base, and the base's base, and so on.
    """
    path = _path_of(preset, folder)
    if path.resolve() in derived:
        circle = " → ".join(one.name for one in (*derived, path))
        raise RunFileError(f"[preset] base is circular: {circle}")
    sections = {name: dict(keys) for name, keys in load_run_file(path).items()}
    about = {"name": path.stem, **sections.pop("preset", {})}
    base = about.pop("base", None)
    if base is None:
        return {"preset": about, **sections}
    if not isinstance(base, str):
        raise RunFileError(f"{path}: [preset] base: wanted a preset's name or path, found {base!r}")
    inherited = _load_base(base, path, derived)
    group = {key: value for key, value in inherited.pop("preset").items() if key == "group"}
    names = dict.fromkeys((*inherited, *sections))
    merged = {name: {**inherited.get(name, {}), **sections.get(name, {})} for name in names}
    return {"preset": {**group, **about}, **merged}


def _load_base(base: str, path: Path, derived: Sequence[Path]) -> dict[str, dict[str, Any]]:
    try:
        return _load(base, path.parent, (*derived, path.resolve()))
    except UnknownPresetError as error:
        raise RunFileError(f"{path}: [preset] base: {error}") from error


class UnknownPresetError(RunFileError):
    """There is no preset of this name."""


def _path_of(preset: str, folder: Path) -> Path:
    if preset.endswith(SUFFIX) or "/" in preset:
        return folder / preset
    files = preset_files()
    if preset not in files:
        hint = did_you_mean(preset, sorted(files))
        raise UnknownPresetError(
            f"no preset is called {preset!r}: {hint} (or the path of your own .toml file)"
        )
    return files[preset]
