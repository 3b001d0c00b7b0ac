"""`ssd-bench`: measure parts or whole runs; print, keep or compare the results."""

from __future__ import annotations

import signal
from pathlib import Path

import click
import torch

from ssd_bench.parts.inputs import PLAYED
from ssd_bench.parts.selection import choose, every_part, with_ceilings
from ssd_bench.parts.timing import measure
from ssd_bench.results import machine
from ssd_bench.results.rows import Result, read
from ssd_bench.results.table import show
from ssd_bench.whole_runs import throughput, time_to_return
from ssd_run.presets import load_config
from ssd_wire.process.allocator import keep_freed_memory
from ssd_wire.process.command import reports_errors, version_option

NOT_KEPT = ("lists", "kept", "earlier")  # options that do not change the results


@click.command()
@version_option
@click.option("--only", "patterns", multiple=True, metavar="GLOB", help="Parts to measure.")
@click.option("--list", "lists", is_flag=True, help="List the names of all parts and exit.")
@click.option(
    "--game",
    default="cleanup",
    show_default=True,
    type=click.Choice([*PLAYED, "all"]),
    help="The parts have the sizes of this game.",
)
@click.option("--repeats", default=7, show_default=True, type=click.IntRange(1))
@click.option("--part-seconds", default=0.7, show_default=True, type=click.FloatRange(0, 60))
@click.option("--preset", "presets", multiple=True, help="Measure whole runs of this preset.")
@click.option(
    "--to-return",
    "learned",
    multiple=True,
    metavar="PRESET",
    help="Measure how long runs take to reach --goal; cleanup-baseline: 20 minutes each.",
)
@click.option("--goal", default=60.0, show_default=True, help="Mean return of 100 episodes.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="The first one.")
@click.option("--runs", type=click.IntRange(1), help="Of each preset; 5 by default, 1 to a return.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1))
@click.option("--warmup", default=15.0, show_default=True, type=click.FloatRange(0))
@click.option("--set", "assignments", multiple=True, metavar="SECTION.KEY=VALUE", help="In runs.")
@click.option("--json", "kept", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--compare", "earlier", type=click.Path(path_type=Path, exists=True, dir_okay=False))
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
    earlier: Path | None,
) -> None:
    """Measure how fast every part is, on one thread, next to the same work in plain torch.

    With --preset, measure whole runs instead: agent-steps trained per second by all learners
    together, once the speed is steady. With --to-return, measure how long runs take to learn. Parts
    are then measured only where --only names them or a whole run is compared with them.
    """
    played = PLAYED if game == "all" else (game,)
    if lists:
        click.echo("\n".join(every_part(played)))
        return
    before = None if earlier is None else read(earlier)
    if kept is not None and not kept.parent.is_dir():
        raise click.UsageError(f"--json {kept}: there is no folder {kept.parent}")
    whole, to_return = ([load_config(name, assignments) for name in n] for n in (presets, learned))
    everything = [] if whole or to_return else ["*"]
    parts = choose(played, patterns or everything, map(throughput.ceiling_of, whole))
    if not (parts or whole or to_return):
        raise click.UsageError(f"no part is called {' or '.join(patterns)}: --list shows them")

    # As Ctrl-C does, so that child processes are stopped and temporary directories removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    where = machine.facts()
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = measure(parts, repeats, part_seconds)
    rows += [throughput.measure(config, runs or 5, warmup, seconds) for config in whole]
    seeds = range(seed, seed + (runs or 1))
    rows += [time_to_return.measure(config, goal, seeds) for config in to_return]
    settings = {name: value for name, value in context.params.items() if name not in NOT_KEPT}
    shown = tuple(with_ceilings(rows))
    result = Result(machine=where, settings=settings, rows=shown)
    result.write(kept)
    show(result, before)


if __name__ == "__main__":
    main()
