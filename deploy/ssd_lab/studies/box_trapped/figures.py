"""Figures 12 and 13, drawn from the tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd_lab.studies.box_trapped.arms import ARMS
from ssd_lab.studies.box_trapped.tables import EpisodeRow, StepRow, TrajectoryRow, by_arm, shares

PAPER = {"influence in the paper": 0.88, "A3C in the paper": 0.0}


def draw_opening(episodes: Sequence[EpisodeRow], steps: Sequence[StepRow]) -> Figure:
    """Figure 12: how often the box is opened, and when.

    Left, each seed's share of episodes in which it is; right, the paper's own picture: how often
    *open box* is chosen at each step of 100 trajectories, the mean over the seeds.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    _draw_shares(left, episodes)
    of_arm = by_arm(episodes)
    for arm, rows in by_arm(steps).items():
        per_run = len(of_arm[arm]) / len(shares(of_arm[arm]))
        chosen = _mean_by_step((row.step, 100 * row.chosen / per_run) for row in rows)
        _plot(right, arm, chosen)
    right.set(xlabel="step of the trajectory", ylabel="times open box is chosen, per 100")
    right.legend()
    return figure


def draw_influence(trajectories: Sequence[TrajectoryRow], steps: Sequence[StepRow]) -> Figure:
    """Figure 13: the free agent's influence reward over a trajectory.

    Left, one trajectory of each arm that computes influence: the first evaluation episode of its
    first seed; right, the mean over all trajectories of all seeds.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    means = by_arm(steps)
    for arm, rows in by_arm(trajectories).items():
        if any(mean.influence for mean in means[arm]):
            _draw_trajectory(left, arm, [row for row in rows if row.seed == rows[0].seed])
            _plot(right, arm, _mean_by_step((mean.step, mean.influence) for mean in means[arm]))
    left.set(xlabel="step of one trajectory", ylabel="influence of the free agent, nats")
    right.set(xlabel="step of the trajectory", ylabel="the same, mean over all trajectories")
    if right.get_lines():
        right.legend()
    return figure


def _draw_shares(axes: Axes, episodes: Sequence[EpisodeRow]) -> None:
    arms = by_arm(episodes)
    for place, (arm, rows) in enumerate(arms.items()):
        found = list(shares(rows).values())
        axes.bar(place, statistics.fmean(found), color=ARMS[arm].colour, alpha=0.3)
        spread = [place + 0.1 * (n - (len(found) - 1) / 2) for n in range(len(found))]
        axes.plot(spread, found, "o", color=ARMS[arm].colour)
    for label, share in PAPER.items():
        axes.axhline(share, color="grey", linestyle="--", linewidth=1)
        beside = axes.get_yaxis_transform()  # x as a share of the axes, y as the share drawn
        axes.text(0.99, share + 0.02, label, transform=beside, ha="right", color="grey", fontsize=8)
    axes.set_xticks(range(len(arms)), [ARMS[arm].short.replace(" ", "\n", 1) for arm in arms])
    axes.set(ylabel="share of episodes in which the box is opened", ylim=(-0.03, 1.05))


def _draw_trajectory(axes: Axes, arm: str, rows: Sequence[TrajectoryRow]) -> None:
    influence = {row.step: row.influence for row in rows}
    _plot(axes, arm, influence)
    for row in rows:
        if row.opens:
            axes.axvline(row.step, color=ARMS[arm].colour, linestyle=":", linewidth=1)
            axes.annotate(
                "the box is opened",
                (row.step, max(influence.values())),
                xytext=(8, 0),
                textcoords="offset points",
                va="top",
                color=ARMS[arm].colour,
            )


def _plot(axes: Axes, arm: str, values: dict[int, float]) -> None:
    axes.plot(list(values), list(values.values()), ARMS[arm].colour, label=ARMS[arm].short)


def _mean_by_step(values: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Step → mean over the seeds, in the order of the steps."""
    found: dict[int, list[float]] = {}
    for step, value in values:
        found.setdefault(step, []).append(value)
    return {step: statistics.fmean(found[step]) for step in sorted(found)}
