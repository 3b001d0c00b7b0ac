"""All parts, and which of them to measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ssd_bench.parts import actor, ceilings, games, learner, messages, sockets
from ssd_bench.parts.plans import PLAYED
from ssd_bench.parts.timing import Part
from ssd_bench.results.rows import Row

GROUPS = (ceilings, games, actor, messages, sockets, learner)
"""Modules whose `parts(game)` are measured, in the order in which they are shown."""


def every_part(game: str) -> dict[str, Part]:
    """All parts of one game, by name."""
    return {part.name: part for group in GROUPS for part in group.parts(game)}


def choose(played: Iterable[str], patterns: Sequence[str], besides: Iterable[str]) -> list[Part]:
    """The parts that are asked for, and those that they, and further rows, are held against.

    Args:
        played: Games whose parts may be asked for.
        patterns: Globs, one of which a part's name has to match.
        besides: Names of further rows that must come to be known.
    """
    asked = [
        part
        for game in played
        for name, part in every_part(game).items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    wanted = {part.name for part in asked}
    for ceiling in (*besides, *(part.ceiling for part in asked if part.ceiling is not None)):
        wanted |= {name for game in PLAYED for name in ceilings.needed(ceiling, game)}
    known = {name: part for game in PLAYED for name, part in every_part(game).items()}
    return [part for name, part in known.items() if name in wanted]


def with_ceilings(rows: Sequence[Row]) -> list[Row]:
    """The same rows, with those that follow from them after the last that they follow from."""
    first = [row for row in rows if row.group == "torch"]
    rest = [row for row in rows if row.group != "torch"]
    return [*first, *(row for game in PLAYED for row in ceilings.derived(rows, game)), *rest]
