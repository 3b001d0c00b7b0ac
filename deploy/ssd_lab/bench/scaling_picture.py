"""The figure of `ssd_lab.bench.scaling`: above the speed, below what an agent-step costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd_lab.bench.scaling import TITLES, Point

PARTS = {  # Tol's vibrant colours, told apart by the colour-blind too
    "env": ("world", "#33BBEE"),
    "actor": ("actors", "#0077BB"),
    "learner": ("learners", "#EE7733"),
}


def draw(points: Sequence[Point], path: Path) -> None:
    """A PNG: a column per size; a line per preset above, a pile of bars per point below."""
    sizes = [size for size in TITLES if any(point.size == size for point in points)]
    presets = list(dict.fromkeys(point.preset for point in points))
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(2.9 * len(sizes), 5.4), layout="constrained")
        axes = figure.subplots(2, len(sizes), squeeze=False, sharey="row")
        for column, size in enumerate(sizes):
            chosen = [point for point in points if point.size == size]
            _speeds(axes[0, column], chosen, presets)
            _costs(axes[1, column], chosen, presets)
            axes[1, column].set_xlabel(TITLES[size])
        axes[0, 0].set_ylabel("agent-steps trained per second")
        axes[1, 0].set_ylabel("CPU µs per agent-step")
        axes[0, 0].legend(frameon=False)
        axes[1, -1].legend(frameon=False)
        figure.savefig(path, dpi=130)


def _speeds(axes: Axes, points: Sequence[Point], presets: Sequence[str]) -> None:
    values = sorted({point.value for point in points})
    for preset, style in zip(presets, ("o-", "s--", "^:", "d-."), strict=False):
        speeds = {p.value: p.agent_steps_per_second for p in points if p.preset == preset}
        places = [values.index(value) for value in speeds]
        axes.plot(places, list(speeds.values()), style, label=preset, color="0.25")
    axes.set_xticks(range(len(values)), [str(value) for value in values])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _costs(axes: Axes, points: Sequence[Point], presets: Sequence[str]) -> None:
    values = sorted({point.value for point in points})
    width = 0.8 / len(presets)
    for number, preset in enumerate(presets):
        for point in (point for point in points if point.preset == preset):
            at = values.index(point.value) + (number - (len(presets) - 1) / 2) * width
            below = 0.0
            for part, (_, colour) in PARTS.items():
                cost = getattr(point, f"{part}_us")
                axes.bar(at, cost, 0.9 * width, below, color=colour, alpha=1 - 0.35 * number)
                below += cost
    for label, colour in PARTS.values():
        axes.bar(0, 0, color=colour, label=label)
    axes.set_xticks(range(len(values)), [str(value) for value in values])
