"""`ssd-bench`: measure the parts, or whole runs, and show, keep or compare what was found."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.progress import track

from ssd_bench.parts.plans import PLAYED
from ssd_bench.parts.selection import choose, every_part, with_ceilings
from ssd_bench.parts.timing import measure
from ssd_bench.results import machine
from ssd_bench.results.rows import Result, read, with_shares
from ssd_bench.results.table import show
from ssd_bench.whole_runs import throughput, time_to_return
from ssd_bench.whole_runs.training_run import RunRequest
from ssd_wire.memory import keep_freed_memory
from ssd_wire.process import reports_errors, version_option

NOT_KEPT = ("lists", "kept", "former")  # of the options: they change nothing


@click.command()
@version_option
@click.option("--only", "patterns", multiple=True, metavar="GLOB", help="Rows to measure.")
@click.option("--list", "lists", is_flag=True, help="Show the names of all parts and end.")
@click.option(
    "--game",
    default="cleanup",
    show_default=True,
    type=click.Choice(["cleanup", "harvest", "all"]),
    help="Whose sizes the parts have.",
)
@click.option("--repeats", default=7, show_default=True, type=click.IntRange(1))
@click.option("--part-seconds", default=0.7, show_default=True, type=click.FloatRange(0, 60))
@click.option("--preset", "presets", multiple=True, help="Measure whole runs of this.")
@click.option(
    "--to-return",
    "learned",
    multiple=True,
    metavar="PRESET",
    help="Measure the time in which runs of this reach --goal; cleanup-baseline: 20 minutes each.",
)
@click.option("--goal", default=60.0, show_default=True, help="Mean return of 100 episodes.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="First of them.")
@click.option("--runs", type=click.IntRange(1), help="Of each preset; 5 by default, 1 to a return.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1))
@click.option("--warmup", default=15.0, show_default=True, type=click.FloatRange(0))
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="Of runs.")
@click.option("--json", "kept", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--compare", "former", type=click.Path(path_type=Path))
@click.pass_context
@reports_errors
def main(
    context: click.Context,
    patterns: tuple[str, ...],
    lists: bool,
    game: str,
    repeats: int,
    part_seconds: float,
    presets: tuple[str, ...],
    learned: tuple[str, ...],
    goal: float,
    seed: int,
    runs: int | None,
    seconds: float,
    warmup: float,
    assignments: tuple[str, ...],
    kept: Path | None,
    former: Path | None,
) -> None:
    """Measure how fast every part is, each on one thread, beside the same in plain torch.

    With --preset, measure whole runs instead: agent-steps trained per second by all learners
    together, once the run is in its stride; with --to-return, how long runs take to learn. Of the
    parts only those are measured then that --only names, and the ceilings of the whole runs.
    """
    played = PLAYED if game == "all" else (game,)
    if lists:
        click.echo("\n".join(name for one in played for name in every_part(one)))
        return
    before = None if former is None else read(former)
    if kept is not None and not kept.parent.is_dir():
        raise click.UsageError(f"--json {kept}: there is no folder {kept.parent}")
    whole, to_return = (
        [RunRequest(preset, assignments) for preset in each] for each in (presets, learned)
    )
    ceilings = [throughput.ceiling_of(request.plan) for request in whole]
    _ = [request.plan for request in to_return]  # a bad one is refused now
    everything = () if whole or to_return else ("*",)
    parts = choose(played, patterns or everything, [name for name in ceilings if name])
    if not (parts or whole or to_return):
        raise click.UsageError(f"no part is called {' or '.join(patterns)}: --list shows them")

    # As Ctrl-C does, so that whatever was started is stopped, and its folders removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    where = machine.facts()
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = with_ceilings(measure(parts, repeats, part_seconds, _watched))
    rows += [throughput.measure(one, runs or 5, warmup, seconds, _say) for one in whole]
    seeds = range(seed, seed + (runs or 1))
    rows += [time_to_return.measure(one, goal, seeds, _say) for one in to_return]
    settings = {name: value for name, value in context.params.items() if name not in NOT_KEPT}
    result = Result(machine=where, settings=settings, rows=tuple(with_shares(rows)))
    if kept is not None:
        result.write(kept)
    show(result, before)


def _watched(rounds: Sequence[int]) -> Iterable[int]:
    """A bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return rounds
    return track(rounds, "measuring", console=console, transient=True)


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
