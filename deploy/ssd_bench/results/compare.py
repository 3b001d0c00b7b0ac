"""One bench against a former one, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssd_bench.results.rows import Result, Row


@dataclass(frozen=True)
class Change:
    """How a row compares with a former one of its name.

    Attributes:
        ratio: The medians' ratio; above 1 it is faster now.
        clear: Whether every sample of one lies above every sample of the other.
    """

    ratio: float
    clear: bool

    def __str__(self) -> str:
        return f"{'' if self.clear else '~'}{self.ratio:.2f}×"


def changes(now: Result, before: Result) -> dict[str, Change]:
    """Of every row that both have, in the same unit."""
    former = {row.name: row for row in before.rows}
    return {
        row.name: _change(row, former[row.name])
        for row in now.rows
        if row.name in former and row.unit == former[row.name].unit
    }


def missing(now: Result, before: Result) -> Sequence[str]:
    """The rows that only the former one has."""
    names = {row.name for row in now.rows}
    return [row.name for row in before.rows if row.name not in names]


def _change(now: Row, before: Row) -> Change:
    apart = min(now.samples) > max(before.samples) or max(now.samples) < min(before.samples)
    return Change(ratio=now.rate / before.rate, clear=apart)
