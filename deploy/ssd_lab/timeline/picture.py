"""Two typical ticks as a picture: a row per process, a part of it per lane."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ssd_lab.timeline.recording import Recording
from ssd_lab.timeline.slices import Slice, within
from ssd_lab.timeline.spans import NONE, Kind
from ssd_lab.timeline.ticks import Tick, typical

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Paul Tol's "muted" scheme, whose colours stay apart for the colour-blind.
COLOURS = {
    Kind.STEP: "#117733",
    Kind.SEND: "#88ccee",
    Kind.RECEIVE: "#ddcc77",
    Kind.RECKON: "#882255",
    Kind.DECIDE: "#332288",
    Kind.ANSWER: "#cc6677",
    Kind.REPORT: "#999933",
    Kind.COLLATE: "#44aa99",
    Kind.UPDATE: "#aa4499",
    Kind.REST: "#777777",
}
WOKEN = "#777777"  # of a wait that is over before the process has a core
PALE = 0.3  # opacity of what went by without a core
BAR = 0.84  # height of a process's row, of 1
LINE = 0.34  # height of a line of text, of the same
MARGIN = 0.06  # of the window, before and after the two ticks
WIDTH, ROW = 13.0, 0.36  # inches


@dataclass(frozen=True)
class Panel:
    """One stretch of time, drawn.

    Attributes:
        title: Above it.
        recording: What to draw of.
        first: The earlier of its two ticks.
        lanes: How many there are.
    """

    title: str
    recording: Recording
    first: Tick
    lanes: int

    @cached_property
    def window(self) -> tuple[float, float]:
        """From shortly before the first tick to shortly after the next one of its lane."""
        every, first = self.recording.ticks, self.first
        second = next(t for t in every if (t.lane, t.number) == (first.lane, first.number + 1))
        margin = MARGIN * (second.times[-1] - first.begin)
        return first.begin - margin, second.times[-1] + margin

    @cached_property
    def rows(self) -> dict[str, list[Slice]]:
        """Role → what it does; the world above its actors, these above those learners that work."""
        slices = self.recording.slices
        rows = {role: within(slices[role], *self.window) for role in sorted(slices, key=_place)}
        return {
            role: row
            for role, row in rows.items()
            if any(one.kind is not Kind.WAITING for one in row)
        }

    def ms(self, time: float) -> float:
        """A time as the axis tells it."""
        return 1e3 * (time - self.window[0])

    def part(self, row: int, lane: int) -> tuple[float, float]:
        """Top and height of what is drawn in a row: a part of it for a lane, or all of it."""
        if lane == NONE:
            return row - BAR / 2, BAR
        return row - BAR / 2 + lane * BAR / self.lanes, BAR / self.lanes


def draw(path: Path, recording: Recording, title: str) -> None:
    """Draw typical ticks of a recording: two while no learner trains, and two while some do.

    Args:
        path: Of the PNG.
        recording: What to draw of.
        title: Above it.
    """
    from matplotlib.figure import Figure

    panels = list(_panels(recording))
    rows = [len(panel.rows) + LINE * panel.lanes for panel in panels]
    figure = Figure(figsize=(WIDTH, 2.0 + sum(ROW * r + 0.6 for r in rows)), layout="constrained")
    many = figure.subplots(len(panels), 1, squeeze=False, height_ratios=rows)
    for axes, panel in zip(many[:, 0], panels, strict=True):
        _draw_rows(axes, panel)
        _draw_paths(axes, panel)
        _finish(axes, panel)
    figure.suptitle(f"{title}\nin each row lane 0 is on top; blank: asleep until a message comes")
    _explain(figure)
    figure.savefig(path, dpi=110)


def _panels(recording: Recording) -> Iterator[Panel]:
    """As many as there are kinds of ticks of which two follow each other."""
    ticks = recording.ticks
    lanes = 1 + max(tick.lane for tick in ticks)
    for trains, when in ((False, "all learners wait"), (True, "learners update")):
        chosen = [tick for tick in ticks if recording.in_training(tick) is trains]
        if (first := typical(chosen)) is None:
            continue
        middle = 1e3 * statistics.median(tick.seconds for tick in chosen)
        title = f"while {when}: {len(chosen) / len(ticks):.0%} of ticks, median {middle:.1f} ms"
        yield Panel(title, recording, first, lanes)


def _place(role: str) -> tuple[int, str]:
    return ("env", "actor", "learner").index(role.partition("-")[0]), role


def _draw_rows(axes: Axes, panel: Panel) -> None:
    for row, slices in enumerate(panel.rows.values()):
        for one in slices:
            top, height = place = panel.part(row, one.lane)
            if one.kind is Kind.WAITING:  # to wake up is the last thing that it does
                _bar(axes, panel.ms(one.end - one.no_core), 1e3 * one.no_core, place, WOKEN, PALE)
                continue
            begin, wall, colour = panel.ms(one.begin), 1e3 * one.wall, COLOURS[one.kind]
            filled = top + height * (1 - one.cpu / one.wall), height * one.cpu / one.wall
            _bar(axes, begin, wall, place, colour, PALE)
            _bar(axes, begin, wall, filled, colour)


def _draw_paths(axes: Axes, panel: Panel) -> None:
    """Of every tick: its number, what the world told the slowest actor, and its answer."""
    begin, end = panel.window
    for tick in panel.recording.ticks:
        if tick.times[-1] < begin or tick.begin > end:
            continue
        stepped, _, sent, read, acted, heard, _ = map(panel.ms, tick.times)
        row = list(panel.rows).index(f"actor-0-{tick.slowest}")
        top, height = panel.part(row, tick.lane)
        world, mind = BAR / 2, top + height / 2
        _arrow(axes, (sent, world), (read, mind), "-")
        _arrow(axes, (acted, mind), (heard, world), "--")
        level = -BAR / 2 - 0.08 - LINE * (panel.lanes - 1 - tick.lane)
        late = stepped > 0.9 * panel.ms(end)
        words = f"lane {tick.lane}, tick {tick.number:,}"
        if stepped >= 0:
            axes.text(stepped, level, words, fontsize=8, ha="right" if late else "left")


def _bar(
    axes: Axes,
    begin: float,
    width: float,
    place: tuple[float, float],
    colour: str,
    opacity: float = 1.0,
) -> None:
    axes.broken_barh([(begin, width)], place, color=colour, alpha=opacity, lw=0)


def _arrow(axes: Axes, tail: tuple[float, float], head: tuple[float, float], style: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    arrow = FancyArrowPatch(
        tail,
        head,
        arrowstyle="->",
        mutation_scale=10,
        linewidth=0.9,
        linestyle=style,
        shrinkA=0,
        shrinkB=0,
    )
    axes.add_patch(arrow)


def _finish(axes: Axes, panel: Panel) -> None:
    rows, (_, end) = panel.rows, panel.window
    top = -0.5 - LINE * panel.lanes
    axes.set(xlim=(0, panel.ms(end)), ylim=(len(rows) - 0.5, top), xlabel="ms", title=panel.title)
    axes.set_yticks(range(len(rows)), [_label(role) for role in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _explain(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    kinds = [Patch(color=colour, label=str(kind)) for kind, colour in COLOURS.items()]
    others = [
        Patch(color=COLOURS[Kind.SEND], alpha=PALE, lw=0, label="pale: share without a core"),
        Patch(color=WOKEN, alpha=PALE, lw=0, label="woken, has no core yet"),
        Line2D([], [], color="black", lw=0.9, label="timestep to the slowest actor"),
        Line2D([], [], color="black", lw=0.9, ls="--", label="its act"),
    ]
    figure.legend(handles=[*kinds, *others], loc="outside lower center", ncols=5, fontsize=9)


def _label(role: str) -> str:
    """``actor-0-3`` is actor 3, of the only arena there is."""
    kind, *numbers = role.split("-")
    return kind if kind == "env" else f"{kind} {numbers[-1]}"
