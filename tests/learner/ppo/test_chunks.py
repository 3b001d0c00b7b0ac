"""Every pass goes through all chunks once, in an order of its own."""

from dataclasses import fields

import pytest
import torch
from tests.learner.literal import EXPERIMENTS

from ssd_learner.ppo.chunks import Chunks, cut
from ssd_learner.ppo.make_chunks import make_chunks
from ssd_learner.segments.batch import concatenate_time

CPU = torch.device("cpu")
COUNT = 15  # three chunks of each of five games


@pytest.fixture(params=["averse to inequity", "communication by MOA"])
def chunks(request, make_trainer, make_stream):
    trainer = make_trainer(algorithm="ppo", experiment=EXPERIMENTS[request.param])
    _, parts = make_stream(trainer)
    return make_chunks(trainer, [concatenate_time(parts, CPU)], trainer.scheduled_values(), 4)[0]


def content(chunks, number):
    """All that one chunk holds, whatever its place among the others."""
    found = []
    for field in fields(Chunks):
        of = getattr(chunks, field.name)
        parts = [] if of is None else [of] if isinstance(of, torch.Tensor) else list(of)
        axis = 0 if field.name == "state" else 1
        found += [part.select(axis, number).flatten().tolist() for part in parts]
    return found


def test_a_pass_has_every_chunk_once_and_whole(chunks):
    wanted = [content(chunks, number) for number in range(COUNT)]
    parts = list(chunks.shuffled(4))
    found = [content(part, number) for part in parts for number in range(part.count)]
    assert sorted(found) == sorted(wanted)
    assert found != wanted


@pytest.mark.parametrize(
    ("minibatches", "sizes"), [(1, [15]), (2, [8, 7]), (4, [4, 4, 4, 3]), (15, [1] * 15)]
)
def test_minibatches_are_as_equal_as_may_be(chunks, minibatches, sizes):
    assert [part.count for part in chunks.shuffled(minibatches)] == sizes


def test_no_two_passes_have_the_same_minibatches(chunks):
    passes = [
        [part.action_head.log_prob[0].tolist() for part in chunks.shuffled(3)] for _ in range(4)
    ]
    sets = {frozenset(frozenset(part) for part in one) for one in passes}
    assert len(sets) == 4


def test_the_order_follows_from_the_random_state(chunks):
    state = torch.get_rng_state()
    (one,) = chunks.shuffled(1)
    torch.set_rng_state(state)
    (again,) = chunks.shuffled(1)
    (other,) = chunks.shuffled(1)
    assert torch.equal(one.action_head.log_prob, again.action_head.log_prob)
    assert not torch.equal(one.action_head.log_prob, other.action_head.log_prob)


def test_stretches_are_cut_side_by_side_and_may_share_their_ends():
    whole = torch.arange(7 * 2).view(7, 2)  # seven steps of two games
    assert cut(whole[:6], 3).tolist() == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]
    shared = [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11], [6, 7, 12, 13]]
    assert cut(whole, 3, overlap=1).tolist() == shared
    assert cut(whole, 6, overlap=1).tolist() == whole.tolist()
