"""A batch is taken apart by games, and each part is what its games alone would have been."""

from dataclasses import fields

import pytest
import torch

from ssd_learner.segments.batch import Batch, stack_games
from ssd_learner.vtrace.update import vtrace_update

CPU = torch.device("cpu")
GAMES = 5  # of one segment


def told(report):
    """All that a report has to tell."""
    return {name: value for name, value in vars(report).items() if value is not None}


def sizes(batch, games):
    return [part.reward.shape[1] for part in batch.split(games)]


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
    ("games", "wanted"),
    [(1, [1] * 10), (3, [3, 3, 2, 2]), (5, [5, 5]), (7, [5, 5]), (10, [10]), (99, [10])],
)
def test_parts_are_as_few_as_may_be_and_as_equal(segments, games, wanted):
    assert sizes(stack_games(segments, CPU), games) == wanted


def test_nothing_is_lost_doubled_or_moved(segments):
    batch = stack_games(segments, CPU)
    parts = list(batch.split(3))
    for field in fields(Batch):
        axis = 0 if field.name == "state" else 1
        if getattr(batch, field.name) is None:
            assert all(getattr(part, field.name) is None for part in parts)
            continue
        joined = torch.cat([getattr(part, field.name) for part in parts], axis)
        assert torch.equal(joined, getattr(batch, field.name))
    assert sum(part.steps for part in parts) == batch.steps


def test_a_part_trains_as_its_segment_alone(segments, make_trainer, experiment):
    apart, alone = (make_trainer(experiment=experiment) for _ in range(2))
    for part, segment in zip(stack_games(segments, CPU).split(GAMES), segments, strict=True):
        wanted = told(vtrace_update(alone, stack_games([segment], CPU)))
        assert told(vtrace_update(apart, part)) == pytest.approx(wanted, rel=1e-4)
