"""Learning curves as a figure: a thin line for each run, a thick line for the mean of its preset.

The colours are those of Okabe and Ito, which colour-blind readers can distinguish.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ssd_lab.plots.curve_windows import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"
Measure = Callable[[Point], float | None]


def draw(path: Path, curves: Sequence[Sequence[Point]], reference: float | None) -> None:
    """Draw the collective return, and other metrics of these runs, over agent-steps.

    Args:
        path: Of the image; its suffix decides the format.
        curves: The windows of each run; none is empty.
        reference: A collective return to draw as a line.
    """
    from matplotlib.figure import Figure

    measures = _measures(curves)
    columns = min(2, len(measures))
    rows = math.ceil(len(measures) / columns)
    figure = Figure(figsize=(5.5 * columns, 4 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in panels[len(measures) :]:
        unused.remove()
    for panel, (title, unit, measure) in zip(panels, measures, strict=False):
        _draw_runs(panel, curves, measure)
        panel.set(title=title, xlabel="agent-steps, millions", ylabel=unit)
    best = max(point.collective_return for points in curves for point in points)
    if best > 0:  # else the fines of the first episodes would compress the rest of the curve
        panels[0].set_ylim(bottom=max(panels[0].get_ylim()[0], -0.25 * best))
    if reference is not None:
        panels[0].axhline(reference, color="grey", linestyle="--", label="random, without fire")
    panels[0].legend(title="thick: mean of the runs" if _shared_presets(curves) else None)
    figure.savefig(path, dpi=110)


def _measures(curves: Sequence[Sequence[Point]]) -> list[tuple[str, str, Measure]]:
    """Title, unit and value of each panel."""
    points = [point for points in curves for point in points]
    measures: list[tuple[str, str, Measure]] = [
        ("collective return", "per episode, mean of 100", lambda p: p.collective_return)
    ]
    if any(point.cleaned for point in points):
        measures.append(("cells cleaned", "per episode, all agents", lambda p: p.cleaned))
    if any(point.moa_margin_nats is not None for point in points):
        measures.append(("MOA margin over marginals", "nats", lambda p: p.moa_margin_nats))
    if any(point.influence_nats is not None for point in points):
        measures.append(("influence", "nats per own-step", lambda p: p.influence_nats))
    return measures


def _draw_runs(panel: Axes, curves: Sequence[Sequence[Point]], measure: Measure) -> None:
    presets = list(dict.fromkeys(points[0].preset for points in curves))
    lines = defaultdict(list)
    for points in curves:
        known = [(p.agent_steps / 1e6, y) for p in points if (y := measure(p)) is not None]
        if known:
            lines[points[0].preset].append(np.array(known).T)
    for number, preset in enumerate(presets):
        colour, runs = COLOURS[number % len(COLOURS)], lines[preset]
        alone = len(runs) == 1
        for x, y in runs:
            width, label = (1.8, preset) if alone else (0.7, None)
            panel.plot(x, y, color=colour, linewidth=width, alpha=1 if alone else 0.6, label=label)
        if len(runs) > 1:
            label = f"{preset} ({len(runs)} runs)"
            panel.plot(*_mean(runs), color=colour, linewidth=2.2, label=label)


def _mean(runs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of several lines, in the range that all of them cover."""
    begin, end = max(x[0] for x, _ in runs), min(x[-1] for x, _ in runs)
    x = np.linspace(begin, max(begin, end), 300)
    return x, np.mean([np.interp(x, *run) for run in runs], axis=0)


def _shared_presets(curves: Sequence[Sequence[Point]]) -> bool:
    return len({points[0].preset for points in curves}) < len(curves)
