"""The rows for people: a table, and what of it is new."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table

from ssd_bench.results.compare import Change, changes, missing
from ssd_bench.results.rows import AGENT_STEPS, Result, Row

NAMED = 6  # rows
WIDTH = 132  # where there is no terminal to ask


def show(console: Console, result: Result, former: Result | None = None) -> None:
    """Print all rows, and beside each how it compares with a former one."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("part", no_wrap=True)
    for heading in ("per second", "µs each", "spread", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    if former is not None:
        table.add_column("to before", justify="right", no_wrap=True)
    table.add_column("and")
    compared = {} if former is None else changes(result, former)
    group = ""
    for row in result.rows:
        if group and group != row.name.partition("/")[0]:
            table.add_section()
            table.add_row()
        group = row.name.partition("/")[0]
        table.add_row(*_cells(row, compared if former is not None else None))
    console.print(table)
    for line in _notes(result, former):
        console.print(line, style="dim", highlight=False)


def _cells(row: Row, compared: Mapping[str, Change] | None) -> Iterator[str]:
    yield row.name
    unit = "" if row.unit == AGENT_STEPS else f" {row.unit}"
    yield f"{quantity(row.rate)}{unit}"
    yield "" if row.unit == "GFLOP" else quantity(row.microseconds)
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
    machine = result.machine
    yield (
        "agent-steps unless named otherwise, by the median; spread: (most − least) / median; "
        "share: of the row's ceiling in torch/ or aim/, for runs on all "
        f"{machine['cores']} cores and for parts on one; parts by their thread's CPU time, but "
        "link/, world/ and weights/ by the clock on the wall, which others' load slows down"
    )
    yield _place(result)
    if former is not None:
        yield f"before: {_place(former)}; ~ where the samples of both overlap"
        if gone := missing(result, former):
            more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
            yield f"not measured now: {', '.join(gone[:NAMED])}{more}"


def _place(result: Result) -> str:
    known = result.machine
    names = ("cpu", "cores", "torch", "numba", "commit", "date", "load_average")
    return ", ".join(f"{name} {known.get(name, '?')}" for name in names)
