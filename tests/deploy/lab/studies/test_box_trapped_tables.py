"""What agents did becomes rows, rows become a file, and the file becomes the table."""

import numpy as np
import pytest

from ssd_envs.spec import EVENTS
from ssd_lab.evaluation.trajectories import Trajectories
from ssd_lab.studies.box_trapped.arms import ARMS, Trial
from ssd_lab.studies.box_trapped.summary import markdown
from ssd_lab.studies.box_trapped.tables import (
    EpisodeRow,
    StepRow,
    TrajectoryRow,
    episode_rows,
    read_rows,
    shares,
    step_rows,
    trajectory_rows,
    write_rows,
)

OPEN, STAY = 7, 4


@pytest.fixture
def found():
    """Three episodes of four steps: opened at the second, never, and opened at the first, twice."""
    free = np.array([[STAY, OPEN, STAY, STAY], [STAY] * 4, [OPEN, STAY, OPEN, STAY]]).T
    trapped = np.full((4, 3), OPEN)  # which opens nothing
    counts = np.zeros((3, 2, len(EVENTS)), np.int64)
    counts[:, 0, EVENTS.index("opened_at")] = [2, 0, 1]
    influence = np.zeros((4, 3, 2), np.float32)
    influence[..., 0] = np.array([[0, 0.5, 0, 0.1], [0, 0, 0, 0], [0.8, 0, 0, 0]]).T
    influence[..., 1] = 9.0  # the trapped one's, which is not what is asked
    return Trajectories(
        seeds=np.array([11, 12, 2**63], np.uint64),
        returns=np.array([[3.0, 2.0], [4.0, 0.0], [3.0, 3.0]]),
        counts=counts,
        actions=np.stack([free, trapped], -1).astype(np.uint8),
        influence=influence,
    )


TRIAL = Trial(ARMS["moa"], 5)


def test_a_row_of_an_episode_has_the_step_of_the_opening_the_returns_and_the_influence(found):
    assert list(episode_rows(TRIAL, found)) == [
        EpisodeRow("moa", 5, 0, 11, 2, 3.0, 2.0, 0.15, 0.5),
        EpisodeRow("moa", 5, 1, 12, 0, 4.0, 0.0, 0.0, 0.0),
        EpisodeRow("moa", 5, 2, 2**63, 1, 3.0, 3.0, 0.2, 0.8),
    ]


def test_a_row_of_a_step_counts_choices_of_open_box_and_openings(found):
    assert list(step_rows(TRIAL, found)) == [
        StepRow("moa", 5, 1, chosen=1, opened=1, influence=0.2667),
        StepRow("moa", 5, 2, chosen=1, opened=1, influence=0.1667),
        StepRow("moa", 5, 3, chosen=1, opened=0, influence=0.0),
        StepRow("moa", 5, 4, chosen=0, opened=0, influence=0.03333),
    ]


def test_a_trajectory_is_the_first_episode_step_by_step(found):
    assert list(trajectory_rows(TRIAL, found)) == [
        TrajectoryRow("moa", 5, 1, "stay", 0.0, opens=0),
        TrajectoryRow("moa", 5, 2, "open_box", 0.5, opens=1),
        TrajectoryRow("moa", 5, 3, "stay", 0.0, opens=0),
        TrajectoryRow("moa", 5, 4, "stay", 0.1, opens=0),
    ]


@pytest.mark.parametrize(
    ("kind", "rows"),
    [(EpisodeRow, episode_rows), (StepRow, step_rows), (TrajectoryRow, trajectory_rows)],
    ids=["episodes", "steps", "trajectories"],
)
def test_rows_are_read_as_they_were_written(tmp_path, found, kind, rows):
    written = list(rows(TRIAL, found))
    write_rows(tmp_path / "rows.csv", kind, written)
    assert read_rows(tmp_path / "rows.csv", kind) == written


def episode(arm, seed, opened_at, free=9.0, trapped=1.0, influence=0.1, at_opening=0.0):
    return EpisodeRow(arm, seed, 0, 1, opened_at, free, trapped, influence, at_opening)


def test_a_seeds_share_is_that_of_its_own_episodes():
    rows = [episode("moa", 2, at) for at in (0, 3, 1, 8)] + [episode("moa", 1, 0)]
    assert shares(rows) == {1: 0.0, 2: 0.75}


def test_the_summary_has_a_line_per_arm_over_all_its_episodes():
    rows = [
        episode("moa-control", 1, 0, free=10.0, trapped=0.0, influence=0.001),
        episode("moa", 1, 4, at_opening=0.6),
        episode("moa", 1, 1, at_opening=0.4),
        episode("moa", 2, 3, free=6.0, at_opening=0.8),
        episode("moa", 2, 0, trapped=3.0),
    ]
    _, _, moa, control = markdown(rows).splitlines()
    assert moa == ("| influence, by MOA | **75.0%** of 4 | 100%, 50% | 3 | 8.2 | 1.5 | 0.1 | 0.6 |")
    assert control == (
        "| A3C: the same, but β = 0 | **0.0%** of 1 | 0% | – | 10.0 | 0.0 | 0.001 | – |"
    )


def test_the_summary_has_a_dash_where_no_influence_is_computed():
    (line,) = markdown([episode("a3c", 1, 2, influence=0.0)]).splitlines()[2:]
    assert line.endswith("| – | – |")
