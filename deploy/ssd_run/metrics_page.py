"""The page of all metrics, read from a run's processes: `python -m ssd_run.metrics_page RUN_DIR`.

The run must be running, every learner must have made an update, and an episode must have ended.
Which metrics there are depends on the experiment: `harvest-moa-communication` has all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from ssd_run.progress.scraper import fetch_text
from ssd_wire.errors import RunFileError
from ssd_wire.process.command import reports_errors

KINDS = "env", "actor", "learner"
HEAD = """# Metrics

What each process serves to Prometheus, at the address in its `processes/<role>.json`. Metrics of
the last batch exist after the first update, those of returns after the first full episode; metrics
of influence, of the model of others and of symbols exist in experiments that have these.
`metrics.jsonl` and TensorBoard have the learners' metrics of the last batch under the same names
without `ssd_learner_`, one number for each agent.

A counter (`…_total`) begins at 0 in each process. What continues after a restart is a gauge.

This page is written by `python -m ssd_run.metrics_page RUN_DIR > deploy/METRICS.md`, while
`ssd-train harvest-moa-communication --run-dir RUN_DIR --set game.horizon=100 --set game.fire_cost=0
--set game.fine=0` is running: without fines, equality is defined in the first episodes.
"""


def served(run_dir: Path) -> dict[str, list[Metric]]:
    """The metrics that one process of each kind serves now.

    Raises:
        RunFileError: when no process of a kind answers.
    """
    found = {}
    for kind in KINDS:
        entries = sorted((run_dir / "processes").glob(f"{kind}-*.json"))
        if not entries:
            raise RunFileError(f"{run_dir}: wanted a running run, found no {kind} process")
        address = json.loads(entries[0].read_text())["metrics"]
        try:
            text = fetch_text(address)
        except OSError as error:
            raise RunFileError(f"{run_dir}: wanted a running run, {kind}: {error}") from error
        found[kind] = list(text_string_to_metric_families(text))
    return found


def page(families: Mapping[str, list[Metric]]) -> str:
    """The page, in Markdown."""
    tables = {f"ssd-{kind}": list(rows(metrics)) for kind, metrics in families.items()}
    first, *others = tables.values()
    common = [row for row in first if all(row in other for other in others)]
    tables = {name: [row for row in table if row not in common] for name, table in tables.items()}
    return HEAD + "".join(
        f"\n## {name}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
        + "".join(f"{row}\n" for row in table)
        for name, table in {"Every process": common, **tables}.items()
    )


def rows(metrics: list[Metric]) -> Iterator[str]:
    """One line of the table for each metric."""
    for metric in metrics:
        labels = sorted({label for sample in metric.samples for label in sample.labels})
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        shown = ", ".join(f"`{label}`" for label in labels) or "–"
        yield f"| `{name}` | {metric.type} | {shown} | {metric.documentation} |"


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path, exists=True, file_okay=False))
@reports_errors
def main(run_dir: Path) -> None:
    """Print the page of all metrics that the processes of a running run serve."""
    click.echo(page(served(run_dir)), nl=False)


if __name__ == "__main__":
    main()
