"""Results of a bench as rows, and the JSON file that keeps them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssd_wire.process.command import write_atomically

AGENT_STEPS = "agent-steps"
GOAL = "goal"  # reached once in a run

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Row(BaseModel):
    """One thing that was measured.

    Attributes:
        name: Unique; from general to special, separated by slashes.
        unit: What is counted.
        samples: Of that unit per second, one for each repeat or run.
        also: Other figures of the same repeats or runs, by name, units included.
        ceiling: The row that this one is compared with, if any.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    unit: str = AGENT_STEPS
    samples: Annotated[tuple[Rate, ...], Field(min_length=1)]
    also: Mapping[str, tuple[Figure, ...]] = {}
    ceiling: str | None = None

    @property
    def group(self) -> str:
        """The first part of its name; rows of one group are shown together."""
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
    """All rows of one bench, the machine (`machine.facts`), and the command's options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ssd-bench 1"] = "ssd-bench 1"
    machine: dict[str, Any]
    settings: dict[str, Any]
    rows: tuple[Row, ...]

    def share(self, row: Row) -> float | None:
        """A row's rate as a share of its ceiling's; None where that was not measured."""
        rates = {one.name: one.rate for one in self.rows}
        return row.rate / rates[row.ceiling] if row.ceiling in rates else None

    def write(self, path: Path | None) -> None:
        """Write a file, whole or not at all, if one is wanted."""
        if path is not None:
            write_atomically(path, self.model_dump_json(indent=1) + "\n")


def read(path: Path) -> Result:
    """Read a file that `Result.write` has written.

    Raises:
        click.ClickException: when the file holds something else.
    """
    try:
        return Result.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise click.ClickException(
            f"{path}: wanted a file that ssd-bench --json has written; {where}: {first['msg']}"
        ) from error
