"""How speed and cost grow with each size of a run: `python -m ssd_lab.bench.scaling`.

One size is changed at a time, all others stay as the preset has them. What is measured is a whole
run, as `ssd-bench --preset` measures it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

import click

from ssd_lab.bench.whole import Study, measure
from ssd_lab.plan import validate
from ssd_lab.presets import load_preset
from ssd_wire.process import reports_errors
from ssd_wire.runfile import override

ARENAS = "arenas"  # the only size that no run file has
SIZES: dict[str, tuple[int, ...]] = {
    "run.games": (16, 32, 48, 64, 96, 128, 256),
    "run.lanes": (1, 2, 4),
    "run.segment": (20, 50, 100),
    "game.agents": (2, 5, 10),
    ARENAS: (1, 2, 4),
}
TITLES = {
    "run.games": "games per lane",
    "run.lanes": "lanes",
    "run.segment": "steps per segment (T)",
    "game.agents": "agents",
    ARENAS: "arenas",
}


@dataclass(frozen=True)
class Point:
    """One run: what it was, and how fast.

    Attributes:
        preset, size, value: Of the preset, this one size was changed to this value.
        agent_steps_per_second: Trained, by all learners together.
        updates_per_second: By all learners together.
        mebibytes: Proportional memory of all processes, at most.
        env_us, actor_us, learner_us: CPU time per agent-step.
    """

    preset: str
    size: str
    value: int
    agent_steps_per_second: float
    updates_per_second: float
    mebibytes: float
    env_us: float
    actor_us: float
    learner_us: float


@click.command()
@click.option("--preset", "presets", multiple=True, default=("cleanup-moa",))
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=list(SIZES))
@click.option("--runs", default=1, show_default=True, type=click.IntRange(1), help="Of each point.")
@click.option("--seconds", default=12.0, show_default=True, type=click.FloatRange(1))
@click.option("--warmup", default=6.0, show_default=True, type=click.FloatRange(0))
@click.option("--csv", "table", required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--png", "picture", type=click.Path(path_type=Path, dir_okay=False))
@reports_errors
def main(
    presets: tuple[str, ...],
    sizes: tuple[str, ...],
    runs: int,
    seconds: float,
    warmup: float,
    table: Path,
    picture: Path | None,
) -> None:
    """Measure whole runs of many sizes; keep a table, and draw it."""
    points: list[Point] = []
    for study, size, value in studies(presets, sizes, seconds, warmup):
        points.append(_point(study, size, value, runs))
        write(points, table)  # whatever stops us, what was measured stays
    if picture is not None:
        from ssd_lab.bench.scaling_picture import draw  # matplotlib is not for everyone

        draw(points, picture)


def studies(
    presets: Sequence[str], sizes: Sequence[str], seconds: float, warmup: float
) -> Iterator[tuple[Study, str, int]]:
    """All runs to measure, each with the size that was changed, and to what."""
    for preset in presets:
        for size in sizes:
            for value in SIZES[size]:
                sets = () if size == ARENAS else (f"{size}={value}",)
                plan = validate(override(load_preset(preset), sets))
                arenas = value if size == ARENAS else 1
                yield Study(preset, plan, sets, warmup, seconds, arenas=arenas), size, value


def _point(study: Study, size: str, value: int, runs: int) -> Point:
    click.echo(f"{study.preset}, {TITLES[size]}: {value}", err=True)
    row = measure(study, runs, lambda line: click.echo(line, err=True))
    also = {name: median(samples) for name, samples in row.also.items()}
    return Point(
        preset=study.preset,
        size=size,
        value=value,
        agent_steps_per_second=median(row.samples),
        updates_per_second=also["updates/s"],
        mebibytes=also["MiB"],
        env_us=also["CPU µs env"],
        actor_us=also["CPU µs actor"],
        learner_us=also["CPU µs learner"],
    )


def write(points: Sequence[Point], path: Path) -> None:
    """A CSV with a line per point."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)], lineterminator="\n")
        writer.writeheader()
        for point in points:
            row = asdict(point).items()
            writer.writerow({name: f"{x:.4g}" if isinstance(x, float) else x for name, x in row})


if __name__ == "__main__":
    main()
