"""The figures show what the tables say."""

import pytest

from ssd_lab.studies.box_trapped.arms import ARMS
from ssd_lab.studies.box_trapped.figures import draw_influence, draw_opening
from ssd_lab.studies.box_trapped.tables import EpisodeRow, StepRow, TrajectoryRow

SEEDS = (1, 2)


def episodes(arm, opened):
    """Four episodes a seed, of which so many are opened."""
    return [
        EpisodeRow(arm, seed, n, n, int(n < count), 1.0, 1.0, 0.1, 0.5)
        for seed, count in zip(SEEDS, opened, strict=True)
        for n in range(4)
    ]


def steps(arm, chosen, influence):
    """Three steps, as many for each seed."""
    return [
        StepRow(arm, seed, step, count[step - 1], 0, nats)
        for seed, count in zip(SEEDS, chosen, strict=True)
        for step, nats in enumerate(influence, 1)
    ]


EPISODES = [*episodes("moa", (4, 3)), *episodes("moa-control", (0, 1))]
STEPS = [
    *steps("moa", ((4, 0, 2), (2, 1, 0)), (0.0, 0.5, 0.1)),
    *steps("moa-control", ((0, 0, 0), (1, 0, 0)), (0.0, 0.01, 0.0)),
    *steps("a3c", ((0, 0, 0), (0, 0, 0)), (0.0, 0.0, 0.0)),
]
TRAJECTORIES = [
    TrajectoryRow(arm, seed, step, "open_box", scale * seed * step, int(opens == step))
    for arm, scale, opens in (("moa", 0.1, 2), ("moa-control", 0.01, 0), ("a3c", 0.0, 0))
    for seed in SEEDS
    for step in (1, 2, 3)
]


def lines(axes):
    """Label → its points."""
    return {
        line.get_label(): list(map(float, line.get_ydata()))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def label(arm):
    return ARMS[arm].short


def test_figure_12_shows_each_seeds_share_and_the_mean_of_all():
    left, _ = draw_opening(EPISODES, STEPS[:12]).axes
    assert [bar.get_height() for bar in left.patches] == [0.875, 0.125]
    dots = [list(line.get_ydata()) for line in left.get_lines() if line.get_marker() == "o"]
    assert dots == [[1.0, 0.75], [0.0, 0.25]]


def test_figure_12_counts_open_box_at_each_step_per_hundred_trajectories():
    _, right = draw_opening(EPISODES, STEPS[:12]).axes
    assert lines(right) == {label("moa"): [75.0, 12.5, 25.0], label("moa-control"): [12.5, 0, 0]}


def test_figure_13_shows_one_trajectory_of_each_arm_that_computes_influence():
    left, _ = draw_influence(TRAJECTORIES, STEPS).axes
    shown = lines(left)
    assert set(shown) == {label("moa"), label("moa-control")}
    assert shown[label("moa")] == pytest.approx([0.1, 0.2, 0.3])


def test_figure_13_marks_where_the_box_is_opened():
    left, _ = draw_influence(TRAJECTORIES, STEPS).axes
    assert [text.get_text() for text in left.texts] == ["the box is opened"]
    assert left.texts[0].xy == (2, pytest.approx(0.3))


def test_figure_13_shows_the_mean_over_all_trajectories():
    _, right = draw_influence(TRAJECTORIES, STEPS).axes
    assert lines(right)[label("moa")] == [0.0, 0.5, 0.1]


def test_figure_13_is_empty_where_no_arm_computes_influence():
    left, right = draw_influence(TRAJECTORIES[-6:], STEPS[-6:]).axes
    assert not lines(left)
    assert not lines(right)
