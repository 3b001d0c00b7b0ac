"""Learning curves of runs: a table (CSV), a figure (PNG), and the best window of each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import click

from ssd_lab.plots.curve_figure import draw
from ssd_lab.plots.curve_windows import WINDOW, Point, best, curve, moa_margin
from ssd_wire.errors import RunFileError
from ssd_wire.process.command import reports_errors, version_option


def write_csv(path: Path, points: Sequence[Point]) -> None:
    """One row per point."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Point)])
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)


@click.command()
@version_option
@click.argument("run_dirs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write all points here.")
@click.option("--png", "picture", type=click.Path(path_type=Path), help="Draw the curves here.")
@click.option(
    "--reference", type=float, help="Draw this return as a line, such as that of random play."
)
@click.option(
    "--every",
    default=WINDOW // 4,
    show_default=True,
    type=click.IntRange(1),
    help="Episodes from one window to the next.",
)
@reports_errors
def main(
    run_dirs: tuple[Path, ...],
    table: Path | None,
    picture: Path | None,
    reference: float | None,
    every: int,
) -> None:
    """Show the last 100-episode window of each run and its best, and write or draw all windows.

    The brackets contain the 99.5 % confidence interval over the episodes of that run.
    """
    found = {run_dir: points for run_dir in run_dirs if (points := curve(run_dir, every))}
    curves = list(found.values())
    if not curves:
        raise RunFileError(f"wanted {WINDOW} full-length episodes in a run, found fewer in all")
    for run_dir, points in found.items():
        click.echo(_line(points, moa_margin(run_dir)))
    if table is not None:
        write_csv(table, [point for points in curves for point in points])
    if picture is not None:
        draw(picture, curves, reference)


def _line(points: Sequence[Point], margins: Sequence[float | None]) -> str:
    top, last = best(points), points[-1]
    words = (
        f"{top.run}: {top.preset}, seed {top.seed}: last window {last.collective_return:.1f} "
        f"[{last.low:.1f}, {last.high:.1f}] at {last.agent_steps:,} agent-steps; "
        f"best of {len(points)} {top.collective_return:.1f} at {top.agent_steps:,}"
    )
    if all(margin is None for margin in margins):
        return words
    each = ", ".join("–" if margin is None else f"{margin:.3f}" for margin in margins)
    return f"{words}; MOA margin of each agent in the last half {each} nats"


if __name__ == "__main__":
    main()
