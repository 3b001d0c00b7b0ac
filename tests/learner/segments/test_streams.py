"""Segments of one lane are put together again, as far as each goes on where the last one ended."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_learner.segments.batch import Batch, concatenate_time, stack_games
from ssd_learner.segments.streams import group_consecutive
from ssd_learner.training import train

CPU = torch.device("cpu")


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(algorithm="ppo")


def assert_same(one, other):
    for field in fields(Batch):
        found, wanted = getattr(one, field.name), getattr(other, field.name)
        assert (found is None) == (wanted is None), field.name
        if found is not None:
            assert found.dtype == wanted.dtype, field.name
            assert torch.equal(found, wanted), field.name


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_segments_one_after_the_other_are_the_long_one_that_they_were_cut_from(
    make_trainer, make_stream, name, count
):
    whole, parts = make_stream(make_trainer(experiment=EXPERIMENTS[name]), count)
    assert_same(concatenate_time(parts, CPU), stack_games([whole], CPU))


def numbers(found):
    return [[segment.seq for segment in stream] for stream in found]


def test_a_lane_s_segments_in_their_order_are_one_stream(trainer, make_stream):
    _, parts = make_stream(trainer)
    assert numbers(group_consecutive(parts)) == [[1, 2, 3]]


def test_nothing_is_no_stream():
    assert group_consecutive([]) == []


@pytest.fixture
def mixed(trainer, make_stream):
    """Segments of two lanes and two epochs, as they arrived; numbered as in their lane."""
    _, one = make_stream(trainer, seed=1)
    _, two = make_stream(trainer, seed=2, lane=1)
    _, three = make_stream(trainer, count=2, seed=3)
    three = [replace(segment, epoch=2) for segment in three]
    return [one[0], three[0], two[0], two[1], one[1], three[1], one[2], two[2]]


def test_lanes_and_epochs_are_streams_of_their_own(mixed):
    found = group_consecutive(mixed)
    assert numbers(found) == [[1, 2, 3], [1, 2], [1, 2, 3]]
    for stream in found:
        assert len({(segment.epoch, segment.lane) for segment in stream}) == 1


def otherwise(segment, name, index):
    """The segment, but for one number."""
    changed = getattr(segment, name).copy()
    changed[index] = not changed[index] if changed.dtype == np.bool_ else (changed[index] + 1) % 7
    return replace(segment, **{name: changed})


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("is_first", (0, 4)),
        ("pixels", (0, 3, 2, 5)),
        ("actions", (0, 2, 3)),
        ("actions", (1, 0, 1)),
    ],
    ids=["an episode's start", "a view", "what was done before it", "what was done in it"],
)
def test_a_lane_whose_environment_began_anew_is_another_stream(trainer, make_stream, name, index):
    _, parts = make_stream(trainer)
    parts[1] = otherwise(parts[1], name, index)
    # The second no longer goes on from the first, but the third does from the second.
    assert numbers(group_consecutive(parts)) == [[1], [2, 3]]


@pytest.mark.parametrize(("name", "index"), [("is_first", (1, 4)), ("actions", (2, 0, 1))])
def test_what_comes_later_in_a_segment_parts_no_stream(trainer, make_stream, name, index):
    _, parts = make_stream(trainer)
    parts[1] = otherwise(parts[1], name, index)
    assert numbers(group_consecutive(parts)) == [[1, 2, 3]]


def test_a_segment_that_is_missing_parts_a_stream(trainer, make_stream):
    _, parts = make_stream(trainer)
    assert numbers(group_consecutive([parts[0], parts[2]])) == [[1], [3]]


def test_streams_of_different_lengths_are_trained_together(trainer, mixed):
    report = train(trainer, mixed, lambda: True)
    assert trainer.own_steps == sum(segment.reward.size for segment in mixed)
    rewards = np.concatenate([segment.reward.ravel() for segment in mixed])
    assert report.reward == pytest.approx(rewards.mean(), abs=1e-6)
