"""The results as a table, and how they compare with those of an earlier bench."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from ssd_bench.results.rows import AGENT_STEPS, GOAL, Result, Row

WIDTH = 132  # of the table, where the output is no terminal


@dataclass(frozen=True)
class Change:
    """How a row compares with an earlier one of the same name."""

    ratio: float  # of the medians; above 1 it is faster now
    clear: bool  # whether every sample of one lies above every sample of the other

    def __str__(self) -> str:
        return f"{'' if self.clear else '~'}{self.ratio:.2f}×"


def changes(now: Result, before: Result) -> dict[str, Change]:
    """The change of every row that both have, in the same unit."""
    earlier = {(row.name, row.unit): row for row in before.rows}
    return {
        new.name: Change(
            ratio=new.rate / old.rate,
            clear=min(new.samples) > max(old.samples) or max(new.samples) < min(old.samples),
        )
        for new in now.rows
        if (old := earlier.get((new.name, new.unit))) is not None
    }


def missing(now: Result, before: Result) -> Sequence[str]:
    """The rows that only the earlier result has."""
    names = {row.name for row in now.rows}
    return [row.name for row in before.rows if row.name not in names]


def show(result: Result, before: Result | None = None, console: Console | None = None) -> None:
    """Print all rows, and beside each how it compares with an earlier one."""
    console = console or Console()
    if not console.is_terminal:
        console.width = WIDTH
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("part", no_wrap=True)
    columns = ("per second", "µs each", "spread", "share", *(("change",) if before else ()))
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("also")
    compared = {} if before is None else changes(result, before)
    group = ""
    for row in result.rows:
        if group not in ("", row.group):
            table.add_row()
        group = row.group
        change = [] if before is None else [str(compared.get(row.name, "new"))]
        table.add_row(*_cells(row, result.share(row)), *change, _also(row))
    console.print(table)
    for line in _notes(result, before):
        console.print(line, style="dim", highlight=False)


def _cells(row: Row, share: float | None) -> Iterator[str]:
    yield row.name
    unit = "" if row.unit == AGENT_STEPS else f" {row.unit}"
    yield f"once in {1 / row.rate:,.0f} s" if row.unit == GOAL else f"{quantity(row.rate)}{unit}"
    yield "" if row.unit == GOAL else quantity(1e6 / row.rate)
    yield f"{row.spread:.0%}" if len(row.samples) > 1 else ""
    yield "" if share is None else f"{share:.0%}"


def _also(row: Row) -> str:
    medians = {name: statistics.median(values) for name, values in row.also.items()}
    return ", ".join(f"{quantity(value)} {name}" for name, value in medians.items())


def quantity(value: float) -> str:
    """Three digits, or all digits before the decimal point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _notes(result: Result, before: Result | None) -> Iterator[str]:
    yield (
        "rates are medians, in agent-steps unless another unit is given; spread: (largest − "
        "smallest) / median; share: of the same work in plain torch (torch/), for whole runs on "
        f"all {result.machine['cores']} cores and for parts on one, or of its matrix products "
        "alone (products/); parts by the CPU time of their thread"
    )
    yield _place(result)
    if before is not None:
        yield f"before: {_place(before)}; ~ where the samples of both overlap"
        if gone := missing(result, before):
            yield f"not measured now: {', '.join(gone)}"


def _place(result: Result) -> str:
    names = ("cpu", "cores", "torch", "numba", "commit", "date", "load_average")
    return ", ".join(f"{name} {result.machine.get(name, '?')}" for name in names)
