"""Real runs of real processes under random faults, and a check of what they leave.

`make chaos` runs all parts but `long`. The parts:

    python -m tests.chaos faults             # 120 faults: kills, stops, freezes, cuts, full disks
    python -m tests.chaos throughput         # the speed under a fault every 10 s
    python -m tests.chaos separations        # hosts without a network for 30 s; frozen processes
    python -m tests.chaos deterministic      # learners killed or not: the same weights
    python -m tests.chaos long --minutes 60 --csv long.csv   # memory and handles over time

Each prints its seed; `--seed N` draws the same faults again. (When they strike is up to the
machine, so a failure need not come back.) If there was a finding, the exit code is 1, and the run's
directory stays; its path is printed. Findings are:

- an agent or an arena that makes no progress for 60 s while nothing is frozen;
- a run that does not end with exit code 0 on Ctrl-C, or whose account does not add up;
- anything that contradicts "each durable segment was trained exactly once", which
  `tests.chaos.evidence.exactly_once` checks from records of its own.

Cutting connections, filling disks and hosts with own networks need root; without, they are skipped.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from tests.chaos import determinism, network, separation
from tests.chaos.faults import FULL_DISK, KILL, draw
from tests.chaos.recorded_run import ROLES, RecordedRun
from tests.chaos.resources import draw as draw_resources
from tests.chaos.resources import report, write_csv
from tests.chaos.session import SAMPLE_SECONDS, Session

PAUSES = (1.0, 5.0)  # seconds between faults
STEADY_PAUSE = 10.0  # the same while the throughput is measured
LONG_PAUSE = 30.0  # the same in a long run
LEAST_SHARE = 0.5  # of the throughput, under faults

seed_option = click.option(
    "--seed", type=int, default=lambda: secrets.randbelow(2**31), help="Of the faults."
)
preset_option = click.option("--preset", default="harvest-moa", show_default=True)


@click.group(help=__doc__)
def main() -> None:
    """The parts."""


@main.command()
@seed_option
@preset_option
@click.option("--count", default=120, show_default=True, help="Number of faults.")
def faults(seed: int, preset: str, count: int) -> None:
    """Inject faults of all kinds, then check that each durable segment was trained once."""
    with session(preset, seed) as running:
        running.disturb(draw(seed, ROLES, PAUSES), count)
        running.recover()


@main.command()
@seed_option
@preset_option
@click.option("--seconds", default=60.0, show_default=True, help="Of each of four windows.")
def throughput(seed: int, preset: str, seconds: float) -> None:
    """Compare own-steps per second under a fault every 10 s with those before and after."""
    drawn = draw(seed, ROLES, (STEADY_PAUSE, STEADY_PAUSE), steady=True)
    chosen = (fault for fault in drawn if fault.kind != FULL_DISK)
    with session(preset, seed) as running:
        before = speed(running, lambda: running.wait(seconds))
        during = speed(running, lambda: running.disturb(chosen, seconds=2 * seconds))
        running.recover()
        running.wait(STEADY_PAUSE)
        after = speed(running, lambda: running.wait(seconds))
        share = 2 * during / (before + after)
        click.echo(
            f"own-steps/s: {before:.0f} before, {during:.0f} under faults, {after:.0f} after: "
            f"a share of {share:.0%}"
        )
        if share < LEAST_SHARE:
            running.findings.append(f"wanted a share of at least {LEAST_SHARE:.0%}")


@main.command()
@seed_option
@preset_option
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--csv", "path", type=click.Path(path_type=Path), required=True)
@click.option("--png", "figure", type=click.Path(path_type=Path), help="Also draw a figure.")
def long(seed: int, preset: str, minutes: float, path: Path, figure: Path | None) -> None:
    """Kill a process every 30 s, and record memory, handles and counters of all."""
    drawn = draw(seed, ROLES, (LONG_PAUSE, LONG_PAUSE), steady=True)
    kills = (fault for fault in drawn if fault.kind == KILL)
    with session(preset, seed, sample_seconds=LONG_PAUSE) as running:
        try:
            running.disturb(kills, seconds=60 * minutes)
            running.recover()
        finally:
            write_csv(path, running.samples)
            if figure is not None:
                draw_resources(figure, running.samples)


@main.command()
@seed_option
def deterministic(seed: int) -> None:
    """Kill learners of deterministic runs: the weights are those of undisturbed ones."""
    root = Path(tempfile.mkdtemp(prefix="ssd-chaos-"))
    found = []
    for preset in determinism.BATCHES:
        found += determinism.findings(root, preset, seed)
    for finding in found:
        click.echo(f"FINDING: {finding}")
    if found:
        sys.exit(f"{len(found)} findings; see {root}")
    shutil.rmtree(root)


@main.command()
@click.option("--ipc/--no-ipc", default=True, help="Also freeze and cut off processes over ipc.")
def separations(ipc: bool) -> None:
    """Cut processes off for 30 s each, over tcp and ipc: all go on within 10 s after that."""
    findings = []
    if reason := network.unavailable():
        click.echo(f"skipped: {reason}")
    else:
        with tempfile.TemporaryDirectory(prefix="ssd-chaos-") as root:
            findings += separation.over_tcp(Path(root))
    for finding in findings:
        click.echo(f"FINDING: {finding}")
    if ipc:
        with session("harvest-moa", seed=1) as running:
            if running.injector.may_cut:
                running.findings += separation.over_ipc(running.run)
    sys.exit(bool(findings))


def speed(running: Session, work: Callable[[], None]) -> float:
    """Durable own-steps per second, of all agents together, while something is done."""
    began, before = time.monotonic(), running.run.own_steps()
    work()
    return (running.run.own_steps() - before) / (time.monotonic() - began)


@contextmanager
def session(preset: str, seed: int, sample_seconds: float = SAMPLE_SECONDS) -> Iterator[Session]:
    """A run that is up; afterwards it is stopped and checked, and this command exits."""
    root = Path(tempfile.mkdtemp(prefix="ssd-chaos-"))
    click.echo(f"seed {seed}; a run of {preset} in {root}")
    run = RecordedRun(root, preset, seed, own_disk=os.geteuid() == 0)
    try:
        run.wait_until_up()
        running = Session(run, sample_seconds)
        try:
            yield running
            running.finish()
        finally:
            running.injector.end_due(now=True)  # a frozen process would never end
        for line in (*running.report(), *report(running.samples)):
            click.echo(line)
    finally:
        run.close()
    for finding in running.findings:
        click.echo(f"FINDING: {finding}")
    if running.findings:
        sys.exit(f"{len(running.findings)} findings; see {root}")
    shutil.rmtree(root)
    click.echo("no findings")


if __name__ == "__main__":
    main()
