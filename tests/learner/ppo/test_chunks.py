"""Every pass goes through all chunks once, in a new random order."""

from dataclasses import fields

import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_learner.ppo.chunks import Chunks, split_time
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import concatenate_time

CPU = torch.device("cpu")
COUNT = 15  # three chunks of each of five games


@pytest.fixture(params=["inequity averse", "communication with MOA"])
def chunks(request, make_trainer, make_stream):
    trainer = make_trainer(algorithm="ppo", experiment=EXPERIMENTS[request.param])
    batch = concatenate_time(make_stream(trainer)[1], CPU)
    return make_chunks(trainer, [batch], trainer.scheduled_values(), 4)[0]


def content(chunks, number):
    """Everything in one chunk, whatever its place among the others."""
    found = []
    for field in fields(Chunks):
        value = getattr(chunks, field.name)
        if value is not None:
            tensors = [value] if isinstance(value, torch.Tensor) else list(value)
            axis = 0 if field.name == "state" else 1
            found += [tensor.select(axis, number).flatten().tolist() for tensor in tensors]
    return found


def test_a_pass_has_every_chunk_once_and_complete(chunks):
    wanted = [content(chunks, number) for number in range(COUNT)]
    minibatches = list(chunks.shuffled_minibatches(4))
    found = [content(part, number) for part in minibatches for number in range(part.count)]
    assert sorted(found) == sorted(wanted)
    assert found != wanted


@pytest.mark.parametrize(
    ("number", "sizes"), [(1, [15]), (2, [8, 7]), (4, [4, 4, 4, 3]), (15, [1] * 15)]
)
def test_minibatches_are_of_nearly_equal_size(chunks, number, sizes):
    assert [minibatch.count for minibatch in chunks.shuffled_minibatches(number)] == sizes


def test_no_two_passes_have_the_same_minibatches(chunks):
    passes = [
        [part.action_head.log_prob[0].tolist() for part in chunks.shuffled_minibatches(3)]
        for _ in range(4)
    ]
    sets = {frozenset(frozenset(minibatch) for minibatch in one) for one in passes}
    assert len(sets) == 4


def test_the_random_state_determines_the_order(chunks):
    state = torch.get_rng_state()
    (one,) = chunks.shuffled_minibatches(1)
    torch.set_rng_state(state)
    (again,) = chunks.shuffled_minibatches(1)
    (other,) = chunks.shuffled_minibatches(1)
    assert torch.equal(one.action_head.log_prob, again.action_head.log_prob)
    assert not torch.equal(one.action_head.log_prob, other.action_head.log_prob)


def test_sequences_are_split_side_by_side_and_may_overlap():
    sequence = torch.arange(7 * 2).view(7, 2)  # seven steps of two games
    split = split_time(sequence[:6], 3)
    assert split.tolist() == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]
    overlapping = split_time(sequence, 3, overlap=1).tolist()
    assert overlapping == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11], [6, 7, 12, 13]]
    assert split_time(sequence, 6, overlap=1).tolist() == sequence.tolist()
