"""What `ssd-train --list` shows: the presets under the headings of their groups."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ssd_run.presets import SUFFIX, load_preset, preset_names
from ssd_run.run_config import PresetSettings
from ssd_wire.errors import RunFileError
from ssd_wire.run_file import section

PAPER_LEARNER = "The same, with the paper's learner"
HEADINGS = (
    "Without influence",
    "I. Basic influence: leaders act first",
    "II. Communication",
    "III. Models of other agents",
    "Beyond the paper",
    PAPER_LEARNER,
    "Other games",
)
"""The groups of the presets here, in order; other groups follow them."""
NO_GROUP = "Other presets"

INDENT = "  "
_INDENTED: dict[str, Any] = {
    "initial_indent": INDENT,
    "subsequent_indent": INDENT,
    "break_on_hyphens": False,
}


def own_presets(path: str | None) -> tuple[str, ...]:
    """The presets in a folder, or the one in a file, by their paths.

    Args:
        path: Of the folder or file; None, or the name of a preset here, adds nothing.

    Raises:
        RunFileError: when there is no such preset.
    """
    if path is None or path in preset_names():
        return ()
    if Path(path).is_dir():
        return tuple(str(file) for file in sorted(Path(path).glob(f"*{SUFFIX}")))
    load_preset(path)
    return (path,)


def grouped(presets: Mapping[str, PresetSettings]) -> dict[str, tuple[str, ...]]:
    """Heading → names of the presets under it, each preset once."""
    group_of = {name: preset.group or NO_GROUP for name, preset in presets.items()}
    others = sorted(set(group_of.values()) - {*HEADINGS, NO_GROUP})
    groups = {
        heading: tuple(sorted(name for name, group in group_of.items() if group == heading))
        for heading in (*HEADINGS, *others, NO_GROUP)
    }
    return {heading: names for heading, names in groups.items() if names}


def lines(width: int = 80, own: Iterable[str] = ()) -> Iterator[str]:
    """Each preset with what it is and its place in the paper, in two columns.

    Args:
        width: Columns of the terminal.
        own: Paths of further presets.

    Raises:
        RunFileError: when one of these is no preset.
    """
    presets = {name: _settings_of(name) for name in (*preset_names(), *own)}
    groups = grouped(presets)
    described = set(preset_names()) - set(groups[PAPER_LEARNER])
    column = len(INDENT) + max(map(len, described)) + 2
    for number, (heading, names) in enumerate(groups.items()):
        yield from [""] if number else []
        yield heading
        if heading == PAPER_LEARNER:
            yield from textwrap.wrap(", ".join(names), width, **_INDENTED)
            continue
        for name in names:
            yield from _entry(presets[name], name, column, width)


def _settings_of(name: str) -> PresetSettings:
    try:
        return section(load_preset(name), "preset", PresetSettings)
    except RunFileError as error:
        raise RunFileError(f"{name}: {error}") from error


def _entry(preset: PresetSettings, name: str, column: int, width: int) -> Iterator[str]:
    wrapped = (textwrap.wrap(text, width - column) for text in (preset.about, preset.paper))
    texts = [line for text in wrapped for line in text]
    label = INDENT + name
    if len(label) > column - 2 or not texts:  # the path of one's own preset may be long
        yield label
        label = ""
    for text in texts:
        yield f"{label:<{column}}{text}"
        label = ""
