"""What the user sees during a run: a table that is redrawn, or plain lines in a log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.control import Control
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ssd_influence.settings import ExperimentSettings
from ssd_learner.reporting.update_metrics import UPDATE_METRICS
from ssd_run.progress.episodes import Outcome
from ssd_run.progress.progress import Progress
from ssd_run.reporting.agent_columns import columns, gap, number, share
from ssd_run.reporting.summary import clock

PLAIN_PERIOD = 10.0  # seconds between plain lines
NAMED = 3  # processes that do not answer, by name; of others the number


@dataclass(frozen=True)
class RunInfo:
    """What does not change during a run.

    Attributes:
        preset: Name of its preset.
        run_dir: Of the run.
        steps: Agent-steps to train, or None for no limit.
        experiment: Decides which metrics there are.
        counts: Those of `ssd_run.progress.episodes.COUNTS` that the game has.
    """

    preset: str
    run_dir: str
    steps: int | None
    experiment: ExperimentSettings
    counts: tuple[str, ...]


class Screen(Protocol):
    """Shows a run, as a context manager."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *fault: object) -> None:
        """End."""

    def show(self, progress: Progress) -> None:
        """Show the progress; to be called about once a second."""

    def log(self, text: str) -> None:
        """Show a message."""


def screen(console: Console, info: RunInfo) -> Screen:
    """A table on a terminal, plain lines elsewhere."""
    return Dashboard(console, info) if console.is_terminal else PlainOutput(console, info)


class PlainOutput:
    """Plain lines, for logs and pipes."""

    def __init__(self, console: Console, info: RunInfo) -> None:
        self._console = console
        self._heading = info
        self._due = 0.0
        self._elapsed = 0.0

    def __enter__(self) -> Self:
        self._write(f"{self._heading.preset} in {self._heading.run_dir}")
        return self

    def __exit__(self, *fault: object) -> None:
        return

    def show(self, progress: Progress) -> None:
        """Write a line every 10 seconds."""
        self._elapsed = progress.elapsed
        if progress.elapsed >= self._due:
            self._due = progress.elapsed + PLAIN_PERIOD
            self._write(f"{clock(progress.elapsed)}  {status_line(progress, self._heading)}")

    def log(self, text: str) -> None:
        """Write a line at once."""
        self._write(f"{clock(self._elapsed)}  {text}")

    def _write(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Dashboard:
    """A table that is redrawn in place, below the messages."""

    def __init__(self, console: Console, info: RunInfo) -> None:
        self._console = console
        self._heading = info
        self._live = Live(console=console, auto_refresh=False, redirect_stderr=False)
        self._size = console.size

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Redraw the table."""
        self._clear_if_smaller()
        self._live.update(render(progress, self._heading, self._console.width), refresh=True)

    def log(self, text: str) -> None:
        """Write a line above the table."""
        self._console.print(Text(text, style="yellow"))

    def _clear_if_smaller(self) -> None:
        """Clear a terminal that has shrunk, since it has wrapped the lines of the table."""
        size = self._console.size
        if size.width < self._size.width or size.height < self._size.height:
            self._console.control(Control.home(), Control.clear())
        self._size = size


def status_line(progress: Progress, info: RunInfo) -> str:
    """The progress on one line."""
    if progress.phase:
        return "  ".join([progress.phase, *_problems(progress)])
    target = "" if info.steps is None else f" of {info.steps:,}"
    outcome = progress.outcome
    parts = [
        f"{progress.agent_steps:,}{target} agent-steps",
        f"{number(progress.speed, 0)}/s",
        f"return {number(outcome.collective_return)} ({outcome.episodes} episodes)",
        f"equality {number(outcome.equality)}{_defined(outcome)}",
        *_counts(progress, info),
    ]
    parts.extend(
        f"{metric.log_label} {number(progress.mean(metric.name), metric.decimals)}"
        for metric in UPDATE_METRICS
        if metric.log_label and metric.applies_to(info.experiment)
    )
    parts.extend(_problems(progress))
    return "  ".join(parts)


def _counts(progress: Progress, info: RunInfo) -> Iterator[str]:
    """Counts of all agents together in an episode."""
    for name in ("apples", "cleaned", "fires"):
        if name in info.counts:
            yield f"{name} {number(progress.total(name), 0)}"
    if "opened" in info.counts:
        yield f"opened {share(progress.total('opened'))}"


def render(progress: Progress, info: RunInfo, width: int) -> RenderableType:
    """The table with the lines above and below it.

    Args:
        progress: Of the run.
        info: Of the run.
        width: Of the terminal, in characters.
    """
    title = Text.assemble((info.preset, "bold"), "  ", (info.run_dir, "dim"))
    title.truncate(width, overflow="ellipsis")
    parts: list[RenderableType] = [Text(), title]
    parts.extend(_progress_line(progress, info, width))
    if progress.phase:
        parts.append(Text(progress.phase))
    else:
        parts.extend(_totals(progress))
        parts.extend((Text(), _agents(progress, info, width)))
    parts.extend(Text(text, style="yellow") for text in _problems(progress))
    return Group(*parts)


def _progress_line(progress: Progress, info: RunInfo, width: int) -> Iterator[RenderableType]:
    if info.steps is None:
        yield Text(f"{clock(progress.elapsed)}  until Ctrl-C", style="dim")
        return
    done = min(1.0, progress.agent_steps / info.steps)
    left = (info.steps - progress.agent_steps) / progress.speed if progress.speed else math.nan
    time_left = f", {clock(max(0.0, left))} left" if math.isfinite(left) else ""
    text = f"{done:.1%} of {info.steps:,}  {clock(progress.elapsed)}{time_left}"
    line = Table.grid(padding=(0, 2))
    line.add_row(ProgressBar(total=1.0, completed=done, width=max(10, width - len(text) - 4)), text)
    yield line


def _totals(progress: Progress) -> Iterator[Text]:
    outcome = progress.outcome
    yield Text.assemble(
        ("agent-steps ", "dim"),
        f"{progress.agent_steps:,}",
        ("   per second ", "dim"),
        number(progress.speed, 0),
        ("   episodes ", "dim"),
        f"{progress.episodes:,}",
    )
    yield Text.assemble(
        ("collective return ", "dim"),
        (number(outcome.collective_return), "bold green"),
        ("   equality ", "dim"),
        number(outcome.equality),
        (f"{_defined(outcome)}   last {outcome.episodes} full episodes", "dim"),
    )


def _agents(progress: Progress, info: RunInfo, width: int) -> Table:
    shown = columns(info.experiment, info.counts, width)
    table = Table(box=None, padding=(0, gap(width), 0, 0), header_style="dim", pad_edge=False)
    table.add_column(no_wrap=True)
    for column in shown:
        table.add_column(column.name, justify="right", no_wrap=True)
    for place, agent in enumerate(progress.agents):
        table.add_row(f"agent {place}", *(column.cell(agent) for column in shown))
    return table


def _problems(progress: Progress) -> Iterator[str]:
    if restarts := {role: count for role, count in progress.restarts.items() if count}:
        yield f"restarts {', '.join(f'{role} {n}' for role, n in sorted(restarts.items()))}"
    if progress.unresponsive:
        more = len(progress.unresponsive) - NAMED
        rest = f" and {more} more" if more > 0 else ""
        yield f"no answer from {', '.join(progress.unresponsive[:NAMED])}{rest}"
    if progress.cannot_write:
        yield f"cannot write to disk: {', '.join(progress.cannot_write)}"


def _defined(outcome: Outcome) -> str:
    few = outcome.equality is not None and outcome.equality_defined < outcome.episodes
    return f" (in {outcome.equality_defined})" if few else ""
