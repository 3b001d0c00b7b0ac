"""All parts, which of them to measure, and the ceilings that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ssd_bench.parts import actor, ceilings, games, learner, segments
from ssd_bench.parts.inputs import PLAYED
from ssd_bench.parts.timing import Part
from ssd_bench.results.rows import Row

GROUPS = (ceilings, games, actor, segments, learner)
"""Modules with a function `parts(game)`, in the order in which their rows are shown."""


def every_part(games: Iterable[str]) -> dict[str, Part]:
    """All parts of these games, by name."""
    return {part.name: part for game in games for group in GROUPS for part in group.parts(game)}


def choose(
    played: Iterable[str], patterns: Sequence[str], besides: Iterable[str | None]
) -> list[Part]:
    """The parts that are asked for, and those that their ceilings and further rows need.

    Args:
        played: Games whose parts may be asked for.
        patterns: Globs; a part is asked for when one of them matches its name.
        besides: Names of further ceilings that are needed, where there are any.
    """
    known = every_part(PLAYED)
    asked = [
        part
        for name, part in every_part(played).items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    needed = {one.name: one.parts for game in PLAYED for one in ceilings.derived(game)}
    wanted = {part.name for part in asked}
    for ceiling in filter(None, (*besides, *(part.ceiling for part in asked))):
        wanted.update(needed.get(ceiling, (ceiling,)))
    return [part for name, part in known.items() if name in wanted]


def with_ceilings(rows: Sequence[Row]) -> list[Row]:
    """The same rows, with the derived rows that some of them are compared with; ceilings first."""
    known, wanted = {row.name: row for row in rows}, {row.ceiling for row in rows}
    derived = [
        one.row(known)
        for game in PLAYED
        for one in ceilings.derived(game)
        if one.name in wanted and all(part in known for part in one.parts)
    ]
    return sorted([*rows, *derived], key=lambda row: row.group not in ceilings.GROUPS)
