"""Which [learning] settings are valid, which fit a run, and when training on a batch starts."""

import pytest
from pydantic import ValidationError

from ssd_learner.settings import LearningSettings
from ssd_wire.run_file import RunSettings

RUN = {"segment": 50, "lanes": 2, "window": 3, "retained": 120}  # 3 · 2 · 1000 / 50 = 120


def conflict(run=None, **learning):
    settings = LearningSettings(**{"horizon": 1000} | learning)
    return settings.conflict(RunSettings(**RUN | (run or {})))


def test_fitting_values_of_horizon_chunk_and_window_are_accepted():
    assert conflict(horizon=1000) is None
    assert conflict(horizon=50) is None
    for chunk in (0, 1, 10, 25, 50):
        assert conflict(chunk=chunk) is None


@pytest.mark.parametrize("horizon", [1, 49, 51, 75, 1001])
def test_the_horizon_must_be_a_multiple_of_the_segment(horizon):
    wanted = f"horizon = {horizon}: wanted a multiple of the segment, 50 steps"
    assert conflict(horizon=horizon) == wanted


@pytest.mark.parametrize("chunk", [3, 49, 51, 100])
def test_the_chunk_must_divide_the_segment(chunk):
    wanted = f"chunk = {chunk}: wanted a divisor of the segment, 50 steps"
    assert conflict(chunk=chunk) == wanted


@pytest.mark.parametrize(
    "run",
    [{"retained": 119}, {"lanes": 3}, {"window": 4}, {"segment": 25}],
    ids=["fewer retained", "more lanes", "a larger window", "shorter segments"],
)
def test_an_actor_must_be_able_to_retain_all_segments_that_it_may_be_ahead(run):
    run = RUN | run
    ahead = run["window"] * run["lanes"] * 1000 // run["segment"]
    assert ahead > run["retained"]
    assert conflict(run) == (
        f"horizon = 1000: an actor may be {ahead} segments ahead, and would keep at most"
        f" {run['retained']}: wanted [run] retained of at least {ahead}"
    )
    assert conflict(run | {"retained": ahead}) is None


def test_vtrace_ignores_horizon_and_chunk():
    assert conflict({"retained": 1}, algorithm="vtrace", horizon=7, chunk=3) is None


def test_in_a_deterministic_run_an_actor_must_be_able_to_retain_a_batch_of_vtrace():
    run = {"deterministic": True, "lanes": 4, "retained": 3}
    assert conflict(run, algorithm="vtrace") == (
        'algorithm = "vtrace": each batch of a deterministic run has a segment of each of 4 lanes,'
        " and an actor would keep at most 3: wanted [run] retained of at least 4"
    )
    assert conflict(run | {"retained": 4}, algorithm="vtrace") is None


def test_ppo_starts_on_a_batch_at_one_actor_s_horizon_in_all_its_lanes():
    learning = LearningSettings(horizon=1000)
    assert learning.segments_per_batch(50) == 20
    assert learning.batch_threshold(segment=50, lanes=2) == 40


def test_vtrace_starts_on_a_batch_at_one_segment():
    learning = LearningSettings(algorithm="vtrace", horizon=1000)
    assert learning.segments_per_batch(50) == 1
    assert learning.batch_threshold(segment=50, lanes=2) == 1


@pytest.mark.parametrize(
    "invalid",
    [
        {"algorithm": "a3c"},
        {"advantages": "monte_carlo"},
        {"horizon": 0},
        {"gae_lambda": 1.1},
        {"gae_lambda": -0.1},
        {"passes": 0},
        {"moa_passes": -1},
        {"minibatch": 0},
        {"ratio_clip": 0},
        {"kl_limit": 0},
        {"value_gradient_limit": -1},
        {"lr_init": float("inf")},
        {"lr_end": float("inf")},
        {"moa_lr": float("inf")},
        {"weight_decay": float("inf")},
        {"entropy": float("inf")},
        {"entropy_end": float("inf")},
        {"value_coefficient": float("inf")},
        {"episode_end": "never"},
        {"surprise": 1},
    ],
    ids=str,
)
def test_invalid_settings_are_refused_by_name(invalid):
    with pytest.raises(ValidationError, match=next(iter(invalid))):
        LearningSettings(**invalid)


def test_a_limit_may_be_infinite():
    limits = ("value_clip", "gradient_clip", "moa_clip", "kl_limit", "value_gradient_limit")
    assert LearningSettings(**dict.fromkeys(limits, float("inf"))).kl_limit == float("inf")
