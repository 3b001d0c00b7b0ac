"""`ssd-load`: how much one learner takes, from how many actors."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click

from ssd_bench.load.segments import cast
from ssd_bench.load.trial import Load, Row, StoppedError, trial
from ssd_run.plan import Plan, validate
from ssd_run.presets import load_preset
from ssd_wire.errors import RunFileError
from ssd_wire.process import reports_errors, write_whole
from ssd_wire.runfile import override
from ssd_wire.stop import Stop

HEADING = (
    "actors  segments/s  own-steps/s     MB/s  updates/s   busy    CPU  CPU µs/own-step"
    "  load CPU  waits/segment  waiting"
)


class Counts(click.ParamType[tuple[int, ...]]):
    """Natural numbers, separated by commas."""

    name = "N,N,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers, in their order."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(word) for word in str(value).split(","))
        except ValueError:
            self.fail(f"wanted numbers separated by commas, found {value!r}", param, ctx)
        if min(numbers) < 1:
            self.fail(f"wanted numbers of at least 1, found {value!r}", param, ctx)
        return numbers


@click.command()
@click.option("--preset", default="cleanup-moa", show_default=True, help="Or an own .toml file.")
@click.option("--agent", default=0, show_default=True, type=click.IntRange(0), help="Which one.")
@click.option(
    "--actors", type=Counts(), default="1", show_default=True, help="A trial for each number."
)
@click.option("--games", type=click.IntRange(1), help="Same as --set run.games=N.")
@click.option("--lanes", type=click.IntRange(1), help="Same as --set run.lanes=N.")
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Own-steps/s of each actor, at most."
)
@click.option("--seconds", default=10.0, show_default=True, help="Length of a window.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(1), help="Windows, for a median."
)
@click.option("--ingest-only", is_flag=True, help="A learner that takes all in and trains nothing.")
@click.option(
    "--at",
    type=click.Path(path_type=Path, file_okay=False),
    help="Run directory of a running ssd-learner to load, with --preset its run file.",
)
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write all figures here.")
@reports_errors
def main(
    preset: str,
    agent: int,
    actors: tuple[int, ...],
    games: int | None,
    lanes: int | None,
    assignments: tuple[str, ...],
    rate: float | None,
    seconds: float,
    repeats: int,
    ingest_only: bool,
    at: Path | None,
    path: Path | None,
) -> None:
    """Load one learner with made-up segments of many actors, over the real protocol.

    Starts an ssd-learner for each trial, in a directory that is gone afterwards. One that runs
    already (--at) learns from noise: point at none whose weights are wanted.
    """
    if at is not None and ingest_only:
        raise click.UsageError("--ingest-only starts a learner of its own; --at names another")
    if not seconds > 0:
        raise click.UsageError(f"--seconds: wanted more than 0, found {seconds}")
    plan = _plan(preset, games, lanes, assignments)
    if agent >= plan.game.agents:
        raise RunFileError(f"wanted an agent of 0 to {plan.game.agents - 1}, found {agent}")
    who = cast(plan, agent)
    if ingest_only:
        who = replace(who, tensors={})  # such a learner publishes no weights
    load = Load(who, rate, seconds, repeats, ingest_only, at)
    rows = _trials(load, actors)
    if path is not None:
        write_whole(path, json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


def machine() -> dict[str, object]:
    """Where figures were measured."""
    return {"cores": os.cpu_count(), "processor": processor(), "python": platform.python_version()}


def processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")


def _plan(preset: str, games: int | None, lanes: int | None, assignments: tuple[str, ...]) -> Plan:
    sizes = [f"run.{k}={v}" for k, v in (("games", games), ("lanes", lanes)) if v is not None]
    return validate(override(load_preset(preset), [*assignments, *sizes]))


def _trials(load: Load, actors: tuple[int, ...]) -> list[dict[str, object]]:
    stop, rows, sound = Stop(), [], True
    run = load.cast.plan.run
    each = load.own_steps_per_second
    pace = "as much as is taken" if each is None else f"{each:,.0f} own-steps/s each"
    click.echo(
        f"{load.cast.plan.preset.name}, B = {run.games}, {run.lanes} lanes, T = {run.segment}, "
        f"{'ingest only' if load.ingest_only else 'training'}, {pace}; "
        f"medians of {load.repeats} windows of {load.seconds:g} s"
    )
    click.echo(HEADING)
    for number in actors:
        try:
            row = trial(load, number, stop)
        except StoppedError:
            sys.exit(130)
        rows.append(asdict(row))
        click.echo(_words(row))
        for fault in row.account.faults:
            click.echo(f"  {fault}")
        sound &= row.settled and row.account.adds_up
    if not sound:
        raise click.ClickException("segments were lost: see above")
    return rows


def _words(row: Row) -> str:
    it, account = row.figures, row.account
    sums = f"{account.made} made = {account.trained} trained + {account.surplus} surplus"
    return (
        f"{row.actors:6d}  {it.segments_per_second:10,.1f}  {it.own_steps_per_second:11,.0f}  "
        f"{it.megabytes_per_second:7,.1f}  {it.updates_per_second:9,.1f}  {it.busy_share:5.1%}  "
        f"{it.cpu_share:5.0%}  "
        f"{it.cpu_microseconds:15.3f}  {it.load_cpu_share:8.0%}  {it.waits_per_segment:13.3f}  "
        f"{it.waiting_share:7.1%}   {sums}"
    )


if __name__ == "__main__":
    main()
