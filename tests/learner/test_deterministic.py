"""In a deterministic run it does not matter when segments, requests to stop and deaths come."""

from dataclasses import replace

import numpy as np
import pytest
from tests.learner.harness import ACTOR, FINGERPRINT, STOP, Harness

from ssd_wire.messages import Bye, Hello, Refused, Welcome

LANES, PER_LANE = 2, 2  # of a batch
BATCH = LANES * PER_LANE
ALGORITHMS = {
    "ppo": {"algorithm": "ppo", "chunk": 4, "minibatch": 40, "passes": 2, "horizon": 16},
    "vtrace": {"algorithm": "vtrace", "update_games": 4, "batch_segments": 1},
}


@pytest.fixture(params=list(ALGORITHMS))
def make_harness(request, make_trainer, tmp_path):
    """A learner in a folder, which goes on from the checkpoint there."""

    def make(folder="one"):
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        trainer = make_trainer(**ALGORITHMS[request.param])
        return Harness(path, trainer, batch_threshold=BATCH, deterministic=True)

    return make


@pytest.fixture
def batches(make_message, make_trainer):
    """Makes the segments of three batches; the lanes of a batch are in an order of this seed."""
    trainer = make_trainer()

    def make(seed):
        rng = np.random.default_rng(seed)
        made = []
        for batch in range(3):
            lanes = [lane for lane in range(LANES) for _ in range(PER_LANE)]
            rng.shuffle(lanes)
            begun = [batch * PER_LANE] * LANES
            for lane in lanes:
                actor, segment = make_message(trainer, 1 + 100 * lane + begun[lane])
                begun[lane] += 1
                made.append((actor, replace(segment, lane=lane, seq=len(made) + 1)))
        return [make_message(trainer, 0), *made]

    return make


def weights(harness):
    return harness.learner.trainer.tensors()


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        np.testing.assert_array_equal(tensor, right[name], err_msg=name)


@pytest.fixture
def expected(make_harness, batches):
    """Weights after three batches that arrived one by one, without any disturbance."""
    harness = make_harness("expected")
    harness.run(*[[message] for message in batches(seed=0)])
    return weights(harness)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_in_which_lanes_send_does_not_matter(make_harness, batches, expected, seed):
    harness = make_harness()
    harness.run(*[[message] for message in batches(seed)])
    assert_equal(weights(harness), expected)


def test_a_batch_never_grows_however_many_segments_have_arrived(make_harness, batches, expected):
    harness = make_harness()
    harness.run(batches(seed=0), [], [], [])
    assert_equal(weights(harness), expected)


class KilledError(Exception):
    """The process is killed at this moment."""


def run_until_killed(harness, *rounds):
    """Write a checkpoint after each round that trained on a batch; no last one at the end."""

    def wait():
        harness.now += 60.0
        if not harness.links.rounds:
            raise KilledError

    harness.links.on_wait = wait
    with pytest.raises(KilledError):
        harness.run(*rounds)


@pytest.mark.parametrize("killed_after", range(1, 3 * BATCH, 2))
def test_a_learner_killed_after_any_segment_ends_with_the_same_weights(
    make_harness, batches, expected, killed_after
):
    hello, *segments = batches(seed=0)
    run_until_killed(make_harness(), [hello], *[[one] for one in segments[:killed_after]])
    next_one = make_harness()
    in_checkpoint = next_one.learner.trainer.own_steps // (8 * 5)
    assert in_checkpoint == killed_after // BATCH * BATCH
    next_one.run([hello, *segments[in_checkpoint:]], [], [])
    assert_equal(weights(next_one), expected)


def test_a_request_to_stop_does_not_shorten_the_training_on_a_batch(
    make_harness, batches, expected
):
    hello, *segments = batches(seed=0)
    stopped = make_harness()
    stopped.run([hello, *segments[:BATCH]], during_training=[STOP])
    next_one = make_harness()
    assert next_one.learner.trainer.own_steps == BATCH * 8 * 5
    next_one.run([hello, *segments[BATCH:]], [], [])
    assert_equal(weights(next_one), expected)


def test_a_stopping_learner_leaves_an_incomplete_batch_to_the_next(make_harness, batches, expected):
    hello, *segments = batches(seed=0)
    make_harness().run([hello, *segments[: BATCH + 1]])
    next_one = make_harness()
    next_one.run([hello, *segments[BATCH:]], [], [])
    assert_equal(weights(next_one), expected)


def test_an_incomplete_batch_is_trained_on_when_its_actor_leaves(make_harness, batches):
    harness = make_harness()
    harness.run(batches(seed=0)[:2], [(ACTOR, Bye(7))], [])
    assert harness.links.progress()[-1] == (1, 1, 1)


@pytest.mark.parametrize("arena", [0, 1], ids=["in its arena", "in another arena"])
def test_a_second_actor_is_refused_fatally_and_the_first_one_s_batches_stay_the_same(
    make_harness, batches, expected, arena
):
    second = (b"actor 8", Hello(1, arena, 8, FINGERPRINT))
    harness = make_harness()
    links = harness.run(*[[one, second] for one in batches(seed=0)])
    refused = [reply for peer, reply in links.sent if peer == b"actor 8"]
    assert all(isinstance(reply, Refused) and reply.fatal for reply in refused)
    assert "a deterministic run has one arena, and cannot go on with another" in refused[0].reason
    assert f"found {8:016x} of arena {arena}" in refused[0].reason
    assert_equal(weights(harness), expected)


def test_an_actor_may_say_hello_again(make_harness, batches, expected):
    hello, *segments = batches(seed=0)
    harness = make_harness()
    later = ACTOR, replace(hello[1], weights_version=1)
    harness.run([hello], *[[later, one] for one in segments])
    assert_equal(weights(harness), expected)


def test_the_next_learner_admits_the_actor_of_a_run_that_is_resumed(make_harness, batches):
    make_harness().run(batches(seed=0))
    links = make_harness().run([(b"actor 8", Hello(1, 0, 8, FINGERPRINT))])
    assert [reply.epoch for _, reply in links.sent if isinstance(reply, Welcome)] == [8]
