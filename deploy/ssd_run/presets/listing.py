"""What `ssd-train --list` shows: the presets by experiment, then by game."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from ssd_run.plan import validate
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
"""Heading → what follows the game in its presets' names, in order."""

GAMES = ("cleanup", "harvest")
OTHERS = "Other games"

INDENT = "  "
_INDENTED: dict[str, Any] = {
    "initial_indent": INDENT,
    "subsequent_indent": INDENT,
    "break_on_hyphens": False,
}


def by_experiment(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """These presets under their headings; each stands under one, those of other games last."""
    headed = {
        heading: tuple(
            name for game in GAMES for kind in kinds if (name := f"{game}-{kind}") in names
        )
        for heading, kinds in EXPERIMENTS.items()
    }
    placed = {name for group in headed.values() for name in group}
    headed[OTHERS] = tuple(name for name in names if name not in placed)
    return {heading: group for heading, group in headed.items() if group}


def lines(width: int = 80) -> Iterator[str]:
    """Each preset with what it is and its place in the paper, in columns of so wide a terminal."""
    groups = by_experiment(preset_names())
    described = [name for heading, group in groups.items() if heading != AGAIN for name in group]
    column = len(INDENT) + max(map(len, described)) + 2
    for number, (heading, group) in enumerate(groups.items()):
        yield from [""] if number else []
        yield heading
        if heading == AGAIN:
            yield from textwrap.wrap(", ".join(group), width, **_INDENTED)
            continue
        for name in group:
            yield from _entry(name, column, width)


def _entry(name: str, column: int, width: int) -> Iterator[str]:
    preset = validate(load_preset(name)).preset
    wrapped = (textwrap.wrap(text, width - column) for text in (preset.about, preset.paper))
    texts = [line for text in wrapped for line in text]
    labels = [INDENT + name] + [""] * (len(texts) - 1)
    for label, text in zip(labels, texts, strict=True):
        yield f"{label:<{column}}{text}"
