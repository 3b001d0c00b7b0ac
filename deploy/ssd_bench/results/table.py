"""The rows for people: a table, and how they compare with those of a former bench."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ssd_bench.results.rows import AGENT_STEPS, GOAL, Result, Row

NAMED = 6  # rows
WIDTH = 132  # where there is no terminal to ask


@dataclass(frozen=True)
class Change:
    """How a row compares with a former one of its name."""

    ratio: float  # of the medians; above 1 it is faster now
    clear: bool  # whether every sample of one lies above every sample of the other

    def __str__(self) -> str:
        return f"{'' if self.clear else '~'}{self.ratio:.2f}×"


def changes(now: Result, before: Result) -> dict[str, Change]:
    """Of every row that both have, in the same unit."""
    former = {(row.name, row.unit): row for row in before.rows}
    both = [(row, former[row.name, row.unit]) for row in now.rows if (row.name, row.unit) in former]
    return {
        new.name: Change(
            ratio=new.rate / old.rate,
            clear=min(new.samples) > max(old.samples) or max(new.samples) < min(old.samples),
        )
        for new, old in both
    }


def missing(now: Result, before: Result) -> Sequence[str]:
    """The rows that only the former one has."""
    names = {row.name for row in now.rows}
    return [row.name for row in before.rows if row.name not in names]


def show(result: Result, former: Result | None = None, console: Console | None = None) -> None:
    """Print all rows, and beside each how it compares with a former one."""
    console = console or Console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("part", no_wrap=True)
    columns = ("per second", "µs each", "spread", "share", *(("to before",) if former else ()))
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("and")
    compared = None if former is None else changes(result, former)
    group = ""
    for row in result.rows:
        if group not in ("", row.group):
            table.add_row()
        group = row.group
        table.add_row(*_cells(row, compared))
    console.print(table)
    for line in _notes(result, former):
        console.print(line, style="dim", highlight=False)


def _cells(row: Row, compared: Mapping[str, Change] | None) -> Iterator[str]:
    yield row.name
    unit = "" if row.unit == AGENT_STEPS else f" {row.unit}"
    yield f"once in {1 / row.rate:,.0f} s" if row.unit == GOAL else f"{quantity(row.rate)}{unit}"
    yield "" if row.unit in ("GFLOP", GOAL) else quantity(1e6 / row.rate)
    yield f"{row.spread:.0%}" if len(row.samples) > 1 else ""
    yield "" if row.share is None else f"{row.share:.0%}"
    if compared is not None:
        yield str(compared[row.name]) if row.name in compared else "new"
    yield ", ".join(_also(name, statistics.median(values)) for name, values in row.also.items())


def _also(name: str, value: float) -> str:
    if name in ("messages/s", "message pairs/s"):
        return f"{quantity(1e6 / value)} µs a {name.removesuffix('s/s')}"
    return f"{quantity(value)} {name}"


def quantity(value: float) -> str:
    """Three digits or all whole ones."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _notes(result: Result, former: Result | None) -> Iterator[str]:
    yield (
        "agent-steps unless named otherwise, by the median; spread: (most − least) / median; "
        "share: of the row's ceiling in torch/ or aim/, for runs on all "
        f"{result.machine['cores']} cores and for parts on one; parts by their thread's CPU time, "
        "but link/, world/ and weights/ by the clock on the wall, which others' load slows down"
    )
    yield _place(result)
    if former is not None:
        yield f"before: {_place(former)}; ~ where the samples of both overlap"
        if gone := missing(result, former):
            more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
            yield f"not measured now: {', '.join(gone[:NAMED])}{more}"


def _place(result: Result) -> str:
    names = ("cpu", "cores", "torch", "numba", "commit", "date", "load_average")
    return ", ".join(f"{name} {result.machine.get(name, '?')}" for name in names)
