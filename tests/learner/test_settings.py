"""What a run file's [learning] may say, and how much of a run makes a batch."""

import pytest
from pydantic import ValidationError

from ssd_learner.settings import LearningSettings

RUN = {"segment": 50, "lanes": 2, "window": 3, "retained": 120}  # 3 · 2 · 1000 / 50 = 120


def objection(run=None, **learning):
    return LearningSettings(**{"horizon": 1000} | learning).objection(**RUN | (run or {}))


def test_horizon_chunk_and_window_that_fit_a_run_meet_no_objection():
    assert objection(horizon=1000) is None
    assert objection(horizon=50) is None
    for chunk in (0, 1, 10, 25, 50):
        assert objection(chunk=chunk) is None


@pytest.mark.parametrize("horizon", [1, 49, 51, 75, 1001])
def test_the_horizon_is_a_multiple_of_the_segment(horizon):
    wanted = f"horizon = {horizon}: wanted a multiple of the segment, 50 steps"
    assert objection(horizon=horizon) == wanted


@pytest.mark.parametrize("chunk", [3, 49, 51, 100])
def test_the_chunk_divides_the_segment(chunk):
    wanted = f"chunk = {chunk}: wanted a divisor of the segment, 50 steps"
    assert objection(chunk=chunk) == wanted


@pytest.mark.parametrize(
    "run",
    [{"retained": 119}, {"lanes": 3}, {"window": 4}, {"segment": 25}],
    ids=["less room", "more lanes", "a wider window", "shorter segments"],
)
def test_an_actor_can_keep_all_that_it_may_be_ahead(run):
    run = RUN | run
    ahead = run["window"] * run["lanes"] * 1000 // run["segment"]
    assert ahead > run["retained"]
    assert objection(run) == (
        f"horizon = 1000: an actor may be {ahead} segments ahead, and would keep at most"
        f" {run['retained']}: wanted [run] retained of at least {ahead}"
    )
    assert objection(run | {"retained": ahead}) is None


def test_vtrace_has_neither_horizon_nor_chunk_to_object_to():
    assert objection({"retained": 1}, algorithm="vtrace", horizon=7, chunk=3) is None


def test_a_batch_of_ppo_is_begun_with_one_actor_s_horizon_in_all_its_lanes():
    learning = LearningSettings(horizon=1000)
    assert learning.segments_per_batch(50) == 20
    assert learning.fill(segment=50, lanes=2) == 40


def test_a_batch_of_vtrace_is_begun_with_whatever_has_arrived():
    learning = LearningSettings(algorithm="vtrace", horizon=1000)
    assert learning.segments_per_batch(50) == 1
    assert learning.fill(segment=50, lanes=2) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithm": "a3c"},
        {"horizon": 0},
        {"gae_lambda": 1.1},
        {"gae_lambda": -0.1},
        {"passes": 0},
        {"moa_passes": -1},
        {"minibatch": 0},
        {"ratio_clip": 0},
        {"kl_limit": 0},
        {"value_pull": -1},
        {"reward_clip": 0},
        {"horizon_ends": "never"},
        {"surprise": 1},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_by_name(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        LearningSettings(**wrong)
