"""Where the time went: shares of the wall clock by process and by what it did, as rows."""

from __future__ import annotations

import csv
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ssd_lab.plan import Plan
from ssd_lab.timeline.recording import Recording
from ssd_lab.timeline.slices import Slice
from ssd_lab.timeline.spans import Kind
from ssd_lab.timeline.ticks import STAGES


@dataclass(frozen=True)
class Row:
    """A kind of time, of a mean process of one role; or a stage of a mean tick.

    Attributes:
        process: ``env``, ``actor`` or ``learner``, of which there are so many; or ``tick``.
        doing: What.
        wall: Share of the wall clock; of a stage, of its tick. Those of a process add up to 1.
        cpu: The part of it in which it computed.
        no_core: The part in which it was ready to and had no core. The remainder was slept.
        wall_us, cpu_us, no_core_us: The same in microseconds per tick of any lane; of a stage, per
            tick of its own lane.
        cores: Computed by all processes of this role together, in cores.
    """

    process: str
    doing: str
    wall: float | None
    cpu: float | None
    no_core: float | None
    wall_us: float | None
    cpu_us: float | None
    no_core_us: float | None
    cores: float | None


def rows(recording: Recording) -> list[Row]:
    """The whole table."""
    return [row for role in ("env", "actor", "learner") for row in _of(role, recording)] + list(
        _stages(recording)
    )


def _of(role: str, recording: Recording) -> Iterator[Row]:
    slices = recording.slices_of(role)
    number = len(slices)
    every = [one for group in slices for one in group]
    for kind in Kind:
        chosen = [one for one in every if one.kind is kind]
        if chosen:
            yield _row(role, kind, chosen, number, recording)
    others = max(0.0, recording.cpu_of(role) - sum(one.cpu for one in every)) / number
    yield Row(
        process=role,
        doing="other threads",  # ZeroMQ's, for the most part
        wall=None,
        cpu=others / recording.seconds,
        no_core=None,
        wall_us=None,
        cpu_us=1e6 * others / len(recording.ticks),
        no_core_us=None,
        cores=number * others / recording.seconds,
    )


def _row(role: str, kind: Kind, slices: Sequence[Slice], number: int, recording: Recording) -> Row:
    wall = sum(one.wall for one in slices) / number
    cpu = sum(one.cpu for one in slices) / number
    no_core = sum(one.no_core for one in slices) / number
    over, ticks = recording.seconds, len(recording.ticks)
    return Row(
        process=role,
        doing=str(kind),
        wall=wall / over,
        cpu=cpu / over,
        no_core=no_core / over,
        wall_us=1e6 * wall / ticks,
        cpu_us=1e6 * cpu / ticks,
        no_core_us=1e6 * no_core / ticks,
        cores=number * cpu / over,
    )


def _stages(recording: Recording) -> Iterator[Row]:
    ticks = recording.ticks
    whole = sum(tick.seconds for tick in ticks)
    for stage, doing in enumerate(STAGES):
        wall = sum(tick.times[stage + 1] - tick.times[stage] for tick in ticks)
        nothing = dict.fromkeys(("cpu", "no_core", "cpu_us", "no_core_us", "cores"))
        yield Row("tick", doing, wall=wall / whole, wall_us=1e6 * wall / len(ticks), **nothing)


def write_csv(path: Path, table: Sequence[Row]) -> None:
    """A line a row; shares to a ten-thousandth, microseconds to a tenth."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(
            {name: _short(name, value) for name, value in asdict(row).items()} for row in table
        )


def heading(plan: Plan, recording: Recording) -> str:
    """What was recorded, in one line."""
    ticks, run = recording.ticks, plan.run
    middle = 1e3 * statistics.median(tick.seconds for tick in ticks)
    cores = sum(recording.cpu.values()) / recording.seconds
    return (
        f"{plan.preset.name}, {plan.game.agents} agents, lanes × games {run.lanes} × {run.games}: "
        f"{len(ticks) / recording.seconds:.0f} ticks/s, each {middle:.1f} ms long "
        f"(median), on {cores:.2f} of {os.cpu_count()} cores"
    )


def lines(table: Sequence[Row]) -> Iterator[str]:
    """The table as text."""
    named = ("wall", 7), ("CPU", 7), ("no core", 9), ("µs/tick", 9), ("CPU µs", 8), ("cores", 7)
    yield " " * 58 + "".join(name.rjust(width) for name, width in named)
    former = ""
    for row in table:
        if row.process != former:
            yield ""
        yield (
            f"{row.process if row.process != former else '':<8}{row.doing:<50}"
            f"{_percent(row.wall):>7}{_percent(row.cpu):>7}{_percent(row.no_core):>9}"
            f"{_number(row.wall_us, 0):>9}{_number(row.cpu_us, 0):>8}{_number(row.cores, 2):>7}"
        )
        former = row.process


def _short(name: str, value: object) -> object:
    return round(value, 1 if name.endswith("_us") else 4) if isinstance(value, float) else value


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
