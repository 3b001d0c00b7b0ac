"""Segments of one lane are concatenated as long as each continues the one before it."""

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
def test_concatenated_segments_equal_the_long_segment_that_they_were_cut_from(
    make_trainer, make_stream, name, count
):
    whole, parts = make_stream(make_trainer(experiment=EXPERIMENTS[name]), count)
    assert_same(concatenate_time(parts, CPU), stack_games([whole], CPU))


def numbers(streams):
    return [[segment.seq for segment in stream] for stream in streams]


def test_consecutive_segments_of_a_lane_are_one_stream(trainer, make_stream):
    _, parts = make_stream(trainer)
    assert numbers(group_consecutive(parts)) == [[1, 2, 3]]


def test_no_segments_make_no_stream():
    assert group_consecutive([]) == []


@pytest.fixture
def mixed(trainer, make_stream):
    """Segments of two lanes and two epochs in order of arrival, numbered within their lane."""
    _, one = make_stream(trainer, seed=1)
    _, two = make_stream(trainer, seed=2, lane=1)
    _, three = make_stream(trainer, count=2, seed=3)
    three = [replace(segment, epoch=2) for segment in three]
    return [one[0], three[0], two[0], two[1], one[1], three[1], one[2], two[2]]


def test_each_lane_of_each_epoch_is_a_stream(mixed):
    streams = group_consecutive(mixed)
    assert numbers(streams) == [[1, 2, 3], [1, 2], [1, 2, 3]]
    for stream in streams:
        assert len({(segment.epoch, segment.lane) for segment in stream}) == 1


def change_one_value(segment, name, index):
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
    ids=["start of an episode", "view", "action before the segment", "first action in it"],
)
def test_a_new_stream_starts_where_a_segment_does_not_continue_the_one_before(
    trainer, make_stream, name, index
):
    _, parts = make_stream(trainer)
    parts[1] = change_one_value(parts[1], name, index)
    # The second no longer continues the first; the third still continues the second.
    assert numbers(group_consecutive(parts)) == [[1], [2, 3]]


@pytest.mark.parametrize(("name", "index"), [("is_first", (1, 4)), ("actions", (2, 0, 1))])
def test_later_steps_of_a_segment_start_no_new_stream(trainer, make_stream, name, index):
    _, parts = make_stream(trainer)
    parts[1] = change_one_value(parts[1], name, index)
    assert numbers(group_consecutive(parts)) == [[1, 2, 3]]


def test_a_missing_segment_starts_a_new_stream(trainer, make_stream):
    _, parts = make_stream(trainer)
    assert numbers(group_consecutive([parts[0], parts[2]])) == [[1], [3]]


def test_streams_of_different_lengths_are_trained_on_together(trainer, mixed):
    report = train(trainer, mixed, lambda: True)
    assert trainer.own_steps == sum(segment.reward.size for segment in mixed)
    rewards = np.concatenate([segment.reward.ravel() for segment in mixed])
    assert report.reward == pytest.approx(rewards.mean(), abs=1e-6)
