"""What a bench has found, as rows, and the JSON file that keeps them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssd_wire.process import write_whole

AGENT_STEPS = "agent-steps"
GOAL = "goal"  # reached once in a run

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Row(BaseModel):
    """One thing that was measured.

    Attributes:
        name: Unique; groups and what varies within them, separated by slashes.
        unit: What is counted.
        samples: Of that unit per second, one for each repeat or run.
        also: Other figures of the same repeats or runs, by what they are called, units included.
        ceiling: The row that this one is held against, if any.
        share: The medians' ratio to that row's; None where it was not measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    unit: str = AGENT_STEPS
    samples: Annotated[tuple[Rate, ...], Field(min_length=1)]
    also: Mapping[str, tuple[Figure, ...]] = {}
    ceiling: str | None = None
    share: float | None = None

    @property
    def group(self) -> str:
        """Of rows that stand together: what its name begins with."""
        return self.name.partition("/")[0]

    @property
    def rate(self) -> float:
        """Units per second: the median of the samples."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """(largest − smallest sample) / median."""
        return (max(self.samples) - min(self.samples)) / self.rate


class Result(BaseModel):
    """All rows of one bench, where they were measured (`machine.facts`), and by what options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ssd-bench 1"] = "ssd-bench 1"
    machine: dict[str, Any]
    settings: dict[str, Any]
    rows: tuple[Row, ...]

    def write(self, path: Path) -> None:
        """Keep it in a file, whole or not at all."""
        write_whole(path, self.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Result:
    """What `Result.write` has written.

    Raises:
        click.ClickException: when the file cannot be read or holds something else.
    """
    try:
        return Result.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise click.ClickException(f"{path}: cannot be read: {fault}") from fault
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise click.ClickException(
            f"{path}: wanted what ssd-bench --json writes; {where}: {first['msg']}"
        ) from fault


def with_shares(rows: Sequence[Row]) -> list[Row]:
    """The same rows, each with its share of its ceiling where that was measured too."""
    rates = {row.name: row.rate for row in rows}
    return [
        row.model_copy(update={"share": row.rate / rates[row.ceiling]})
        if row.ceiling in rates
        else row
        for row in rows
    ]


def one_after_the_other(name: str, rows: Iterable[Row], at_once: int = 1) -> Row:
    """What so many chains would reach, if each unit had to pass through all rows of its chain."""
    times = zip(*(row.samples for row in rows), strict=True)
    return Row(name=name, samples=tuple(at_once / sum(1 / rate for rate in each) for each in times))
