"""The learner's main loop, over messages in lists."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.learner.harness import ACTOR, FINGERPRINT, Harness

from ssd_learner.checkpoints.checkpoint_file import newest_checkpoint, read_checkpoint
from ssd_learner.training import train
from ssd_wire.messages import Ack, Bye, Hello, Refused, Welcome
from ssd_wire.weights import decode_weights

STEPS_OF_A_SEGMENT = 8 * 5


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(batch_segments=2)


@pytest.fixture
def harness(tmp_path, trainer):
    return Harness(tmp_path, trainer)


@pytest.fixture
def message(make_message, trainer):
    """Makes what actor 7 sends: its Hello for number 0, otherwise its segment of that number."""
    return lambda number: make_message(trainer, number)


def test_hello_is_answered_with_progress_and_the_current_weights(harness, message):
    links = harness.run([message(0)])
    (peer, welcome), *_ = links.sent
    assert peer == ACTOR
    assert isinstance(welcome, Welcome)
    assert (welcome.received, welcome.trained, welcome.durable, welcome.window) == (0, 0, 0, 2)
    tensors = harness.learner.trainer.tensors()
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    weights = decode_weights(welcome.weights.tobytes(), shapes)
    assert (weights.learner_incarnation, weights.version) == (99, 0)
    assert all((weights.tensors[name] == tensors[name]).all() for name in tensors)


class TestHelloOfAnActorThatHasWeights:
    """The reply has weights only if the actor's are not the newest."""

    @pytest.mark.parametrize(
        ("learner", "version", "has_weights"),
        [(99, 1, False), (99, 0, True), (98, 1, True), (98, 7, True), (0, 0, True)],
        ids=["newest", "older", "another learner's", "another learner's, higher version", "none"],
    )
    def test_the_reply_has_weights_if_they_are_newer(
        self, harness, message, learner, version, has_weights
    ):
        hello = Hello(1, 0, 7, FINGERPRINT, learner, version)
        links = harness.run([message(0), message(1)], [(ACTOR, hello)])
        _, welcome = [reply for _, reply in links.sent if isinstance(reply, Welcome)]
        assert welcome.received == 1
        assert (welcome.weights is not None) == has_weights

    def test_repetitions_during_a_long_update_get_one_reply(self, harness, message):
        other, their_hello = b"actor 8", Hello(1, 1, 8, FINGERPRINT)
        arrived = [message(0)] * 16 + [(other, their_hello), message(2), message(0)]
        arrived.append((ACTOR, Bye(7)))
        links = harness.run([message(0), message(1)], during_training=[arrived])
        welcomes = [(peer, one.epoch) for peer, one in links.sent if isinstance(one, Welcome)]
        assert welcomes == [(ACTOR, 7), (ACTOR, 7), (other, 8)]
        assert links.progress()[-1] == (2, 2, 2)


def test_a_segment_is_acknowledged_when_received_when_trained_and_when_durable(harness, message):
    links = harness.run([message(0)], [message(1)])
    assert links.progress() == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_a_segment_of_many_games_takes_several_updates_and_is_acknowledged_once(
    tmp_path, make_trainer, message
):
    harness = Harness(tmp_path, make_trainer(update_games=2))
    links = harness.run([message(0)], [message(1)])
    assert harness.learner.trainer.version == 3  # of 2, 2 and 1 of its 5 games
    assert harness.learner.trainer.own_steps == STEPS_OF_A_SEGMENT
    assert links.progress() == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_an_update_takes_the_oldest_segments_and_at_most_a_batch(harness, message):
    links = harness.run([message(0), message(1), message(2), message(3)])
    assert links.progress()[3:] == [(3, 2, 0), (3, 3, 0), (3, 3, 3)]
    assert harness.learner.trainer.version == 2
    assert harness.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT


def test_an_update_does_not_wait_for_other_actors(harness, message):
    harness.run([message(0), (b"actor 8", Hello(1, 1, 8, FINGERPRINT))], [message(1)])
    assert harness.learner.trainer.version == 1


def test_weights_are_published_at_the_start_and_after_every_update(harness, message):
    links = harness.run([message(0), message(1)], [message(2)])
    shapes = {name: tensor.shape for name, tensor in harness.learner.trainer.tensors().items()}
    weights = [decode_weights(frame, shapes) for frame in links.published]
    assert [one.version for one in weights] == [0, 1, 2]
    assert [one.own_steps for one in weights] == [0, 40, 80]


def test_no_checkpoint_is_written_before_it_is_due(harness, message):
    written = []
    harness.links.on_wait = lambda: written.append(harness.checkpointer.written)
    harness.run([message(0), message(1)], [message(2)], [])
    assert written == [0, 0, 0, 0]
    assert harness.checkpointer.written == 1  # the last one, on stopping


def test_segments_become_durable_when_a_checkpoint_is_due(harness, message):
    def advance_clock():
        harness.now += 6.0

    harness.links.on_wait = advance_clock
    links = harness.run([message(0), message(1)], [], [])
    assert harness.checkpointer.written >= 1
    assert links.progress() == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_bye_makes_an_actor_s_segments_durable_at_once(harness, message):
    progress = []
    harness.links.on_wait = lambda: progress.append(harness.links.progress()[-1:])
    harness.run([message(0), message(1)], [(ACTOR, Bye(7))], [])
    assert progress[-2] == [(1, 1, 1)]


def test_on_stopping_all_received_segments_are_trained_on_and_made_durable(harness, message):
    links = harness.run([message(number) for number in range(8)])
    assert links.progress()[-1] == (7, 7, 7)
    progress, _ = read_checkpoint(newest_checkpoint(harness.folder))
    assert progress.own_steps == 7 * STEPS_OF_A_SEGMENT
    assert [mark.consumed for mark in progress.watermarks] == [7]


def test_a_restarted_learner_continues_after_the_durable_segments(harness, message, make_trainer):
    harness.run([message(0), message(1), message(2)])
    restarted = Harness(harness.folder, make_trainer(seed=77, batch_segments=2))
    links = restarted.run([message(0), message(2), message(3)])
    assert [type(reply) for _, reply in links.sent[:2]] == [Welcome, Ack]
    assert links.sent[0][1].durable == 2
    assert links.progress() == [(2, 2, 2), (3, 2, 2), (3, 3, 2), (3, 3, 3)]
    assert restarted.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT


class TestWaitSeconds:
    """How long the learner waits for messages."""

    def test_it_does_not_wait_while_segments_are_queued(self, harness, message):
        links = harness.run([message(0), message(1), message(2), message(3)], [])
        assert links.waits[1] == 0.0

    def test_it_waits_for_a_short_time_while_segments_are_not_durable(self, harness, message):
        links = harness.run([message(0), message(1)], [])
        assert 0 < links.waits[1] <= 0.5

    def test_it_waits_no_longer_than_until_the_checkpoint_is_due(self, harness, message):
        def advance_clock():
            harness.now += 4.9

        harness.links.on_wait = advance_clock
        links = harness.run([message(0), message(1)], [])
        assert links.waits[1] == pytest.approx(0.5)
        assert links.waits[2] == pytest.approx(0.2)

    def test_it_waits_for_a_long_time_when_idle(self, harness):
        assert harness.run([]).waits == [1.0, 1.0]


class TestInvalidMessages:
    """Bytes that are no message of this run."""

    @pytest.fixture(params=["random bytes", "another shape", "an unknown action"])
    def invalid(self, request, make_segment, trainer):
        if request.param == "random bytes":
            return (ACTOR, [b"nonsense"])
        if request.param == "another shape":
            return (ACTOR, make_segment(trainer, steps=4, epoch=7, seq=1))
        segment = make_segment(trainer, epoch=7, seq=1)
        return (ACTOR, replace(segment, actions=np.full_like(segment.actions, 7)))

    def test_they_are_refused_for_good_and_counted(self, harness, message, invalid):
        links = harness.run([message(0), invalid])
        (refused,) = [reply for _, reply in links.sent if isinstance(reply, Refused)]
        assert refused.fatal
        assert harness.learner.protocol_errors == 1
        assert harness.learner.trainer.version == 0

    def test_they_do_not_affect_valid_messages(self, harness, message, invalid):
        links = harness.run([invalid], [message(0), message(1), invalid, message(2)])
        assert links.progress()[-1] == (2, 2, 2)


def test_a_refusal_is_counted(harness):
    harness.run([(ACTOR, Hello(2, 0, 7, FINGERPRINT))])
    assert harness.learner.refusals == 1


class TestAnUpdateThatIsNotFinite:
    """It ends the process."""

    @pytest.fixture
    def harness(self, harness, monkeypatch):
        """Its network's outputs are infinite from the second update on."""

        def overflow(trainer, segments, poll):
            for parameter in trainer.network.parameters() if trainer.version else ():
                parameter.data.fill_(3e38)
            return train(trainer, segments, poll)

        monkeypatch.setattr(harness.learner, "_train", overflow)
        return harness

    def test_it_leaves_no_checkpoint(self, harness, message):
        with pytest.raises(ArithmeticError, match="update 2 is not finite"):
            harness.run([message(0), message(1)], [message(2)], [])
        assert newest_checkpoint(harness.folder) is None

    def test_its_weights_are_not_published(self, harness, message):
        with pytest.raises(ArithmeticError):
            harness.run([message(0), message(1)], [message(2)], [])
        assert len(harness.links.published) == 2


class TestAtTheBudget:
    """The learner is complete, and continues to acknowledge."""

    @pytest.fixture
    def harness(self, tmp_path, trainer):
        return Harness(tmp_path, trainer, budget=2 * STEPS_OF_A_SEGMENT)

    def test_the_last_weights_are_durable_at_once(self, harness, message):
        written = []
        harness.links.on_wait = lambda: written.append(harness.checkpointer.written)
        harness.run([message(0), message(1)], [message(2)], [])
        assert written == [0, 0, 1, 1]

    def test_later_segments_are_acknowledged_and_counted_and_not_trained_on(self, harness, message):
        links = harness.run([message(number) for number in range(6)], [message(6)])
        assert harness.learner.trainer.own_steps == 2 * STEPS_OF_A_SEGMENT
        assert harness.receiver.counts.surplus == 4
        assert links.progress()[-1] == (6, 6, 6)
        assert links.sent[-1][1].complete

    def test_a_restarted_learner_is_still_complete(self, harness, message, make_trainer):
        harness.run([message(number) for number in range(4)])
        restarted = Harness(harness.folder, make_trainer(), budget=2 * STEPS_OF_A_SEGMENT)
        links = restarted.run([message(0), message(4)])
        assert links.sent[0][1].complete
        assert restarted.learner.trainer.own_steps == 2 * STEPS_OF_A_SEGMENT

    def test_with_a_larger_budget_a_restarted_learner_continues(
        self, harness, message, make_trainer
    ):
        harness.run([message(number) for number in range(4)])
        restarted = Harness(harness.folder, make_trainer(), budget=3 * STEPS_OF_A_SEGMENT)
        restarted.run([message(0), message(4)])
        assert restarted.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT


def test_actors_get_acks_of_their_own_progress_and_only_when_something_changed(harness, message):
    other = b"actor 8"
    links = harness.run(
        [message(0), (other, Hello(1, 1, 8, FINGERPRINT))], [message(1)], [message(2)], []
    )
    # Actor 7's segments are trained; actor 8 learns only that there are newer weights.
    assert links.progress(other) == [(0, 0, 0), (0, 0, 0)]
    assert len(links.progress()) == 5


def test_policy_lag_is_the_mean_number_of_updates_since_acting(harness, message):
    actor, third = message(3)
    fresh = (actor, replace(third, weights_version=1))
    harness.run([message(0), message(1)], [message(2), fresh])
    assert harness.learner.policy_lag == 0.5


def test_the_ledger_has_the_account_of_the_checkpoint(harness, message):
    harness.run([message(0), message(1), message(1), message(2)])
    ledger = json.loads((harness.folder / "ledger.json").read_text())
    assert ledger["own_steps"] == 2 * STEPS_OF_A_SEGMENT
    assert ledger["updates"] == 1
    assert ledger["segments"] == {
        "received": 2,
        "trained": 2,
        "surplus": 0,
        "duplicate": 1,
        "given_up": 0,
    }
