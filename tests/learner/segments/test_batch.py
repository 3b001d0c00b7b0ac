"""A batch is split by games into parts, each of which equals a batch of its games alone."""

from dataclasses import fields

import pytest
import torch

from ssd_learner.segments.batch import Batch, stack_games
from ssd_learner.vtrace.update import vtrace_update

CPU = torch.device("cpu")
GAMES = 5  # of one segment


def existing_values(report):
    return {name: value for name, value in vars(report).items() if value is not None}


EXPERIMENTS = [
    {"influence": "moa"},
    {"influence": "communication", "symbols": 3, "reward": "prosocial"},
]


@pytest.fixture(params=EXPERIMENTS, ids=["moa", "communication, prosocial"])
def experiment(request):
    return request.param


@pytest.fixture
def segments(make_trainer, make_segment, experiment):
    trainer = make_trainer(experiment=experiment)
    return [make_segment(trainer, seed, seq=seed + 1) for seed in range(2)]


@pytest.mark.parametrize(
    ("max_games", "sizes"),
    [(1, [1] * 10), (3, [3, 3, 2, 2]), (5, [5, 5]), (7, [5, 5]), (10, [10]), (99, [10])],
)
def test_parts_are_as_few_and_as_equal_as_possible(segments, max_games, sizes):
    parts = stack_games(segments, CPU).split_games(max_games)
    assert [part.reward.shape[1] for part in parts] == sizes


def test_the_parts_together_are_the_batch(segments):
    batch = stack_games(segments, CPU)
    parts = list(batch.split_games(3))
    for field in fields(Batch):
        axis = 0 if field.name == "state" else 1
        if getattr(batch, field.name) is None:
            assert all(getattr(part, field.name) is None for part in parts)
            continue
        whole = torch.cat([getattr(part, field.name) for part in parts], axis)
        assert torch.equal(whole, getattr(batch, field.name))
    assert sum(part.own_steps for part in parts) == batch.own_steps


def test_training_on_a_part_equals_training_on_its_segment_alone(
    segments, make_trainer, experiment
):
    trainer, alone = (make_trainer(experiment=experiment) for _ in range(2))
    parts = stack_games(segments, CPU).split_games(GAMES)
    for part, segment in zip(parts, segments, strict=True):
        wanted = existing_values(vtrace_update(alone, stack_games([segment], CPU)))
        found = existing_values(vtrace_update(trainer, part))
        assert found == pytest.approx(wanted, rel=1e-4)
