"""When training on a batch starts, and how messages are handled while it goes on."""

from dataclasses import replace
from itertools import count

import pytest
from tests.learner.harness import ACTOR, STOP, Harness

from ssd_learner.checkpoints.checkpoint_file import newest_checkpoint, read_checkpoint
from ssd_wire.messages import Bye, Welcome
from ssd_wire.weights import decode_weights

STEPS_OF_A_SEGMENT = 8 * 5
PPO = {"algorithm": "ppo", "chunk": 4, "minibatch": 20, "passes": 2}
UPDATES = 4  # of a batch of one segment: two passes of two minibatches


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(**PPO)


@pytest.fixture
def message(make_message, trainer):
    """Makes what an actor sends: its Hello for number 0, otherwise its segment of that number."""

    def make(number, epoch=7):
        return make_message(trainer, number, epoch, arena=epoch)

    return make


def count_trained(harness):
    """Filled with the number of trained segments at each wait."""
    trained = []
    harness.links.on_wait = lambda: trained.append(harness.receiver.counts.trained)
    return trained


class TestTheStartOfABatch:
    """Training starts when an arena has sent its share, three segments, or will send no more.

    Other arenas are not waited for; `test_waiting_for_arenas` has that.
    """

    @pytest.fixture
    def harness(self, tmp_path, trainer):
        return Harness(tmp_path, trainer, batch_threshold=3)

    @pytest.fixture
    def trained(self, harness):
        return count_trained(harness)

    def test_not_before_the_share_is_complete(self, harness, message, trained):
        harness.run([message(0), message(1)], [message(2)], [message(3)], [])
        assert trained == [0, 0, 0, 3, 3]
        assert harness.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT

    def test_shares_of_several_arenas_do_not_add_up(self, harness, message, trained):
        others = [message(number, epoch=8) for number in range(3)]
        harness.run([message(0), message(1), message(2)], others, [])
        assert trained == [0, 0, 0, 0]

    def test_other_actors_are_not_waited_for_and_their_segments_are_included(
        self, harness, message, trained
    ):
        others = [message(0, epoch=8), message(1, epoch=8), message(0, epoch=9)]
        links = harness.run(others, [message(n) for n in range(4)], [])
        assert trained == [0, 0, 4, 4]
        assert links.progress(b"actor 8")[-1] == (1, 1, 1)

    def test_at_once_when_an_actor_leaves(self, harness, message, trained):
        harness.run([message(0), message(1)], [(ACTOR, Bye(7))], [])
        assert trained == [0, 0, 1, 1]

    def test_not_when_an_actor_without_queued_segments_leaves(self, harness, message, trained):
        harness.run([message(0), message(1), message(0, epoch=8)], [(b"actor 8", Bye(8))], [])
        assert trained == [0, 0, 0, 0]

    def test_until_then_the_learner_waits_as_when_idle(self, harness, message):
        links = harness.run([message(0), message(1)], [])
        assert links.waits == [1.0, 1.0, 1.0]

    def test_on_stopping_with_all_queued_segments(self, harness, message, trained):
        links = harness.run([message(0), message(1)], [message(2)])
        assert trained == [0, 0, 0]
        assert links.progress()[-1] == (2, 2, 2)

    def test_when_queued_segments_reach_the_budget(self, tmp_path, trainer, message):
        budget = 2 * STEPS_OF_A_SEGMENT
        harness = Harness(tmp_path, trainer, batch_threshold=3, budget=budget)
        trained = count_trained(harness)
        harness.run([message(0), message(1)], [message(2)], [])
        assert trained == [0, 0, 2, 2]
        assert harness.receiver.complete

    def test_not_when_queued_segments_fall_short_of_the_budget(self, tmp_path, trainer, message):
        budget = 2 * STEPS_OF_A_SEGMENT + 1
        harness = Harness(tmp_path, trainer, batch_threshold=3, budget=budget)
        trained = count_trained(harness)
        harness.run([message(0), message(1)], [message(2)], [])
        assert trained == [0, 0, 0, 0]


class TestMessagesDuringTraining:
    """They are answered after the next update, and the answers do not count unfinished training."""

    @pytest.fixture
    def harness(self, tmp_path, trainer):
        return Harness(tmp_path, trainer)

    def test_they_are_answered_before_training_ends(self, harness, message):
        acknowledged = []

        def arrivals():
            """A segment at the first poll; notes at each poll whether it was acknowledged."""
            for messages in ([message(2)], [], [], []):
                acknowledged.append(any(ack.received == 2 for ack in harness.links.acks()))
                yield messages

        harness.run([message(0), message(1)], during_training=arrivals())
        assert acknowledged == [False, True, True, True]

    def test_segments_in_training_are_not_acknowledged_as_trained(self, harness, message):
        links = harness.run([message(0), message(1)], during_training=[[], [message(2)]])
        assert links.progress()[:3] == [(1, 0, 0), (2, 0, 0), (2, 1, 0)]

    def test_acks_have_the_version_of_the_newest_published_weights(self, harness, message):
        links = harness.run([message(0), message(1)], during_training=[[], [message(2)]])
        assert [ack.newest_version for ack in links.acks()][:3] == [0, 0, UPDATES]

    def test_welcomes_have_the_newest_published_weights(self, harness, message):
        tensors = harness.learner.trainer.tensors()
        before = {name: tensor.copy() for name, tensor in tensors.items()}
        links = harness.run([message(0), message(1)], during_training=[[], [message(0, epoch=8)]])
        welcome = next(reply for peer, reply in links.sent if peer == b"actor 8")
        assert isinstance(welcome, Welcome)
        shapes = {name: tensor.shape for name, tensor in before.items()}
        weights = decode_weights(welcome.weights.tobytes(), shapes)
        assert weights.version == 0
        assert all((weights.tensors[name] == before[name]).all() for name in before)

    def test_segments_are_trained_on_in_the_next_batch(self, harness, message):
        harness.run([message(0), message(1)], [], during_training=[[message(2)]])
        assert harness.learner.trainer.version == 2 * UPDATES
        assert harness.learner.trainer.own_steps == 2 * STEPS_OF_A_SEGMENT

    def test_a_newer_actor_is_admitted_and_the_previous_one_s_segments_are_kept(
        self, harness, message, make_message, trainer
    ):
        newer = make_message(trainer, 0, epoch=8, arena=7)
        harness.run([message(0), message(1)], during_training=[[newer]])
        epochs = {one.number: (one.consumed, one.retired) for one in harness.receiver.epochs}
        assert epochs == {7: (1, True), 8: (0, False)}


class TestAskedToStopDuringTraining:
    """The current pass is the last."""

    @pytest.fixture
    def harness(self, tmp_path, trainer):
        return Harness(tmp_path, trainer)

    def test_the_pass_is_finished_and_everything_made_durable(self, harness, message):
        links = harness.run([message(0), message(1)], during_training=[STOP])
        assert harness.learner.report.passes == 1
        assert harness.learner.trainer.version == UPDATES / 2
        assert links.progress()[-1] == (1, 1, 1)
        progress, _ = read_checkpoint(newest_checkpoint(harness.folder))
        assert progress.own_steps == STEPS_OF_A_SEGMENT

    def test_it_stops_even_if_messages_keep_arriving(self, harness, message):
        def endless():
            yield STOP
            for number in count(2):
                assert number < 10, "it never stops"
                yield [message(number)]

        links = harness.run([message(0), message(1)], during_training=endless())
        received, trained, durable = links.progress()[-1]
        assert received == trained == durable


class TestAllActorsLeavingDuringTraining:
    """The run is about to stop, so the current pass is the last."""

    @pytest.fixture
    def harness(self, tmp_path, trainer):
        return Harness(tmp_path, trainer)

    def test_the_current_pass_is_the_last(self, harness, message):
        links = harness.run([message(0), message(1)], [], during_training=[[(ACTOR, Bye(7))]])
        assert harness.learner.report.passes == 1
        assert links.progress()[-1] == (1, 1, 1)

    def test_all_passes_are_made_while_one_of_them_stays(self, harness, message):
        both = [message(0, epoch=8), message(0), message(1)]
        harness.run(both, [], during_training=[[(ACTOR, Bye(7))]])
        assert harness.learner.report.passes == 2

    def test_an_actor_that_another_has_replaced_does_not_count(
        self, harness, message, make_message
    ):
        newer = make_message(harness.learner.trainer, 0, epoch=8, arena=7)
        leaves = (b"actor 8", Bye(8))
        harness.run([message(0), message(1)], [], during_training=[[newer], [leaves]])
        assert harness.learner.report.passes == 1


class KilledError(Exception):
    """The process is killed at this moment."""


def killed_after(updates):
    """No messages, and then the process is killed."""
    for _ in range(updates - 1):
        yield []
    raise KilledError


@pytest.mark.parametrize("updates", range(1, UPDATES + 1))
def test_a_learner_killed_during_its_passes_loses_and_repeats_no_training(
    tmp_path, make_trainer, message, updates
):
    def start(name, seed):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Harness(folder, make_trainer(seed=seed, **PPO))

    start("killed", 5).run([message(0), message(1)])
    with pytest.raises(KilledError):
        start("killed", 6).run([message(0), message(2)], during_training=killed_after(updates))
    restarted = start("killed", 7)
    links = restarted.run([message(0), message(2), message(3)])
    assert (links.sent[0][1].received, links.sent[0][1].durable) == (1, 1)
    assert links.progress()[-1] == (3, 3, 3)
    assert restarted.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT

    start("never killed", 5).run([message(0), message(1)])
    undisturbed = start("never killed", 6)
    undisturbed.run([message(0), message(2), message(3)])
    found, wanted = (one.learner.trainer.state() for one in (restarted, undisturbed))
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_policy_lag_is_the_mean_over_all_updates_of_the_batch(tmp_path, trainer, message):
    harness = Harness(tmp_path, trainer)
    harness.run([message(0), message(1)])
    assert harness.learner.policy_lag == (0 + 1 + 2 + 3) / 4
    actor, third = message(3)
    fresh = actor, replace(third, weights_version=UPDATES)
    again = Harness(tmp_path, trainer, batch_threshold=2)
    again.run([message(0), message(2), fresh])
    of_the_old_one, of_the_fresh_one = (4 + 5 + 6 + 7) / 4, (0 + 1 + 2 + 3) / 4
    # Twice the steps make twice the updates, so their mean is later by half of them.
    assert again.learner.trainer.version == 3 * UPDATES
    assert again.learner.policy_lag == (of_the_old_one + of_the_fresh_one) / 2 + UPDATES / 2
