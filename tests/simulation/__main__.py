"""`python -m tests.simulation`: run many histories, and print the first one that breaks a rule.

`--seeds 0:100000` runs so many; `--seeds 7:8 --trace` prints all events of one.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import click
from tests.simulation.history import run_history
from tests.simulation.trace import lines

BLOCK = 100  # histories that a worker runs at a time


@dataclass
class Total:
    """Over many histories.

    Attributes:
        counts: Of histories, messages, steps, segments and faults.
        slowest_recovery: Longest time from the last fault until everything made progress.
        failed: Seeds of the histories that broke a rule, and which.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    slowest_recovery: float = 0.0
    failed: dict[int, str] = field(default_factory=dict)

    def add(self, other):
        """Add another total."""
        self.counts += other.counts
        self.faults += other.faults
        self.slowest_recovery = max(self.slowest_recovery, other.slowest_recovery)
        self.failed |= other.failed


def run_block(seeds: Iterable[int]) -> Total:
    """Run the histories of some seeds."""
    total = Total()
    for seed in seeds:
        history = run_history(seed)
        record = history.cluster.record
        total.faults += record.faults
        total.counts["histories"] += 1
        total.counts["messages"] += record.messages
        total.counts["steps"] += record.steps.total()
        total.counts["trained segments"] += len(record.trained)
        total.counts["processes"] += history.cluster.started
        total.slowest_recovery = max(total.slowest_recovery, history.recovery or 0.0)
        if history.fault is not None:
            total.failed[seed] = f"{type(history.fault).__name__}: {history.fault}"
    return total


@click.command()
@click.option("--seeds", default="0:1000", show_default=True, help="FIRST:END, without END.")
@click.option("--processes", default=1, show_default=True, help="Run in so many processes.")
@click.option("--trace", is_flag=True, help="Print all events of the first history.")
def main(seeds: str, processes: int, trace: bool) -> None:
    """Run simulated histories of training runs with faults. Exit code 1 if one breaks a rule."""
    first, end = map(int, seeds.split(":"))
    began, total = time.monotonic(), Total()
    blocks = [range(at, min(at + BLOCK, end)) for at in range(first, end, BLOCK)]
    if processes == 1:
        for block in blocks:
            total.add(run_block(block))
    else:
        with ProcessPoolExecutor(processes) as pool:
            for done in pool.map(run_block, blocks):
                total.add(done)
    _report(total, time.monotonic() - began)
    if trace or total.failed:
        shown = first if trace else min(total.failed)
        click.echo("\n".join(lines(run_history(shown))))
    sys.exit(bool(total.failed))


def _report(total: Total, seconds: float) -> None:
    click.echo(", ".join(f"{count:,} {what}" for what, count in total.counts.items()))
    click.echo(f"{60 * total.counts['histories'] / seconds:,.0f} histories a minute")
    click.echo(f"everything made progress within {total.slowest_recovery:g} s of the last fault")
    click.echo("faults: " + ", ".join(f"{n:,} × {kind}" for kind, n in total.faults.most_common()))
    click.echo(f"{len(total.failed)} histories broke a rule")
    for seed, what in sorted(total.failed.items())[:20]:
        click.echo(f"  seed {seed}: {what}")


if __name__ == "__main__":
    main()
