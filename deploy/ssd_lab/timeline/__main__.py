"""`python -m ssd_lab.timeline`: record an arena for a while, and show where its time goes."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import click

from ssd_lab.plan import validate
from ssd_lab.presets import load_preset
from ssd_lab.timeline.arena import record
from ssd_lab.timeline.picture import draw
from ssd_lab.timeline.table import heading, lines, rows, write_csv
from ssd_wire.process import reports_errors
from ssd_wire.runfile import override


@click.command()
@click.argument("preset")
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(0.1, 60))
@click.option("--warmup", default=10.0, show_default=True, type=click.FloatRange(0))
@click.option("--png", type=click.Path(path_type=Path, dir_okay=False), help="Draw two ticks here.")
@click.option(
    "--csv", type=click.Path(path_type=Path, dir_okay=False), help="Write the table here."
)
@reports_errors
def main(
    preset: str,
    assignments: tuple[str, ...],
    seconds: float,
    warmup: float,
    png: Path | None,
    csv: Path | None,
) -> None:
    """Run one arena of PRESET and its learners, each process with a recorder in it.

    Shows what each kind of process does with its time, how much of it it computes, and how long it
    is ready to and has no core; then what the ticks of a lane are made of. The picture shows two
    typical ticks while all learners wait, and two while some update.
    """
    for path in (png, csv):
        if path is not None and not path.parent.is_dir():
            raise click.UsageError(f"{path}: there is no folder {path.parent}")
    # As Ctrl-C does, so that whatever was started is stopped, and its folder removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = validate(override(load_preset(preset), assignments))
    with tempfile.TemporaryDirectory(prefix="ssd-", ignore_cleanup_errors=True) as folder:
        recording = record(plan, Path(folder), warmup, seconds)
    table = rows(recording)
    click.echo(heading(plan, recording))
    for line in lines(table):
        click.echo(line)
    if csv is not None:
        write_csv(csv, table)
    if png is not None:
        draw(png, recording, heading(plan, recording))


if __name__ == "__main__":
    main()
