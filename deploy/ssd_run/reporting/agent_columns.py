"""The columns of the table on screen: as many as the terminal has room for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from ssd_influence.settings import ExperimentSettings
from ssd_learner.reporting.update_metrics import UPDATE_METRICS, UpdateMetric
from ssd_run.progress.progress import AgentProgress

AGENT = len("agent 99")
ROOMY = 100  # characters of a line from which columns are two apart


@dataclass(frozen=True)
class Column:
    """One number of each agent.

    Attributes:
        name: The heading.
        rank: Columns of lower rank are shown first where there is little room.
        width: Characters that its numbers usually have.
        cell: Formats the number.
    """

    name: str
    rank: int
    width: int
    cell: Callable[[AgentProgress], str]

    @property
    def room(self) -> int:
        """Characters that it needs."""
        return max(self.width, len(self.name))


def columns(experiment: ExperimentSettings, counts: Collection[str], width: int) -> list[Column]:
    """The columns to show, from left to right.

    Args:
        experiment: Decides which metrics there are.
        counts: Those of `ssd_run.progress.episodes.COUNTS` that the game has.
        width: Characters of a line.
    """
    known = [*_progress(), *_counts(counts), *_metrics(experiment)]
    left, shown = width - AGENT, set()
    for column in sorted(known, key=lambda column: column.rank):
        left -= column.room + gap(width)
        if left < 0:
            break
        shown.add(column.name)
    return [column for column in known if column.name in shown]


def gap(width: int) -> int:
    """Spaces between columns on lines of this width."""
    return 2 if width >= ROOMY else 1


def _progress() -> Sequence[Column]:
    return (
        Column("own steps", 0, 10, lambda agent: f"{agent.own_steps:,}"),
        Column("updates", 20, 7, lambda agent: f"{agent.updates:,}"),
        Column("return", 1, 8, lambda agent: number(agent.episode_return)),
    )


def _counts(counts: Collection[str]) -> Iterator[Column]:
    for rank, name, places in ((2, "apples", 1), (3, "cleaned", 1), (8, "fires", 1)):
        if name in counts:
            yield Column(name, rank, 6, _count(name, places))
    if "opened" in counts:
        yield Column("opened", 4, 4, lambda agent: share(agent.counts["opened"]))


def _metrics(experiment: ExperimentSettings) -> Iterator[Column]:
    for metric in UPDATE_METRICS:
        if metric.title and metric.applies_to(experiment):
            yield Column(metric.title, metric.priority, metric.width, _metric(metric))


def _count(name: str, places: int) -> Callable[[AgentProgress], str]:
    return lambda agent: number(agent.counts[name], places)


def _metric(metric: UpdateMetric) -> Callable[[AgentProgress], str]:
    return lambda agent: number(agent.metrics[metric.name], metric.decimals)


def number(value: float | None, places: int | None = 2) -> str:
    """A number with so many decimal places, or with two digits; a dash for None."""
    if value is None:
        return "–"
    return f"{value:.2g}" if places is None else f"{value:,.{places}f}"


def share(value: float | None) -> str:
    """A share in per cent; a dash for None."""
    return "–" if value is None else f"{value:.0%}"
