"""What `ssd-train --list` shows: the presets by experiment, then by game."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ssd_run.plan import PresetSettings, validate
from ssd_run.presets import load_preset, preset_names

AGAIN = "The same, by the paper's own learner"
EXPERIMENTS = {
    "Without influence": ("baseline", "prosocial", "inequity-averse"),
    "I. Basic influence: some act first": ("visible-actions", "basic"),
    "II. Communication": ("communication-baseline", "communication"),
    "III. Models of other agents": ("moa-aux", "moa"),
    "Beyond the paper": ("moa-communication",),
    AGAIN: (
        "a3c",
        "visible-actions-paper",
        "basic-paper",
        "communication-baseline-paper",
        "communication-paper",
        "moa-aux-paper",
        "moa-paper",
        "moa-communication-paper",
    ),
}
"""Heading → what follows the game in its presets' names, in order; a preset with another name says
its `group`."""

GAMES = ("cleanup", "harvest")
OTHERS = "Other games"

INDENT = "  "
_INDENTED: dict[str, Any] = {
    "initial_indent": INDENT,
    "subsequent_indent": INDENT,
    "break_on_hyphens": False,
}


def by_experiment(
    names: tuple[str, ...], groups: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """These presets under their headings; each stands under one, those of other games last.

    Args:
        names: Of the presets.
        groups: Headings that some of them name themselves; they come last there.
    """
    groups = groups or {}
    headings = dict.fromkeys((*EXPERIMENTS, *sorted(set(groups.values()))))
    headed = {
        heading: (
            *(
                name
                for game in GAMES
                for kind in EXPERIMENTS.get(heading, ())
                if (name := f"{game}-{kind}") in names and name not in groups
            ),
            *(name for name in names if groups.get(name) == heading),
        )
        for heading in headings
    }
    placed = {name for group in headed.values() for name in group}
    headed[OTHERS] = tuple(name for name in names if name not in placed)
    return {heading: group for heading, group in headed.items() if group}


def lines(width: int = 80) -> Iterator[str]:
    """Each preset with what it is and its place in the paper, in columns of so wide a terminal."""
    told = {name: validate(load_preset(name)).preset for name in preset_names()}
    own = {name: preset.group for name, preset in told.items() if preset.group}
    groups = by_experiment(preset_names(), own)
    described = [name for heading, group in groups.items() if heading != AGAIN for name in group]
    column = len(INDENT) + max(map(len, described)) + 2
    for number, (heading, group) in enumerate(groups.items()):
        yield from [""] if number else []
        yield heading
        if heading == AGAIN:
            yield from textwrap.wrap(", ".join(group), width, **_INDENTED)
            continue
        for name in group:
            yield from _entry(told[name], name, column, width)


def _entry(preset: PresetSettings, name: str, column: int, width: int) -> Iterator[str]:
    wrapped = (textwrap.wrap(text, width - column) for text in (preset.about, preset.paper))
    texts = [line for text in wrapped for line in text]
    labels = [INDENT + name] + [""] * (len(texts) - 1)
    for label, text in zip(labels, texts, strict=True):
        yield f"{label:<{column}}{text}"
