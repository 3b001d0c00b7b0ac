"""The learner's loop, over letters in lists."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.learner.office import ACTOR, FINGERPRINT, Office

from ssd_learner.checkpoints.checkpoint_file import newest_checkpoint, read_checkpoint
from ssd_learner.metrics import LearnerMetrics
from ssd_wire.messages import Ack, Bye, Hello, Refused, Welcome
from ssd_wire.weights import decode_weights

STEPS_OF_A_SEGMENT = 8 * 5


@pytest.fixture
def trainer(make_trainer):
    return make_trainer(batch_segments=2)


@pytest.fixture
def office(tmp_path, trainer):
    return Office(tmp_path, trainer)


@pytest.fixture
def letter(make_letter, trainer):
    """Makes what actor 7 sends: its Hello (0), or its segment of a number."""
    return lambda number: make_letter(trainer, number)


def test_hello_is_answered_with_progress_and_the_current_weights(office, letter):
    mail = office.live([letter(0)])
    (peer, welcome), *_ = mail.sent
    assert peer == ACTOR
    assert isinstance(welcome, Welcome)
    assert (welcome.received, welcome.trained, welcome.durable, welcome.window) == (0, 0, 0, 2)
    tensors = office.learner.trainer.tensors()
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    weights = decode_weights(welcome.weights.tobytes(), shapes)
    assert (weights.learner_incarnation, weights.version) == (99, 0)
    assert all((weights.tensors[name] == tensors[name]).all() for name in tensors)


class TestHelloOfAnActorThatHasWeights:
    """Is answered with weights only where these are not the newest."""

    @pytest.mark.parametrize(
        ("learner", "version", "brings"),
        [(99, 1, False), (99, 0, True), (98, 1, True), (98, 7, True), (0, 0, True)],
        ids=["the newest", "older", "another's", "another's of a higher number", "none"],
    )
    def test_brings_the_newest_only(self, office, letter, learner, version, brings):
        hello = Hello(1, 0, 7, FINGERPRINT, learner, version)
        mail = office.live([letter(0), letter(1)], [(ACTOR, hello)])
        _, welcome = [message for _, message in mail.sent if isinstance(message, Welcome)]
        assert welcome.received == 1
        assert (welcome.weights is not None) == brings

    def test_is_answered_once_however_often_it_was_said_during_a_long_update(self, office, letter):
        other, theirs = b"actor 8", Hello(1, 1, 8, FINGERPRINT)
        waiting = [letter(0)] * 16 + [(other, theirs), letter(2), letter(0), (ACTOR, Bye(7))]
        mail = office.live([letter(0), letter(1)], meanwhile=[waiting])
        welcomes = [(peer, one.epoch) for peer, one in mail.sent if isinstance(one, Welcome)]
        assert welcomes == [(ACTOR, 7), (ACTOR, 7), (other, 8)]
        assert mail.acks()[-1] == (2, 2, 2)


def test_a_segment_is_acknowledged_when_received_when_trained_and_when_durable(office, letter):
    mail = office.live([letter(0)], [letter(1)])
    assert mail.acks() == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_a_segment_of_many_games_is_trained_in_several_updates_and_told_of_once(
    tmp_path, make_trainer, letter
):
    office = Office(tmp_path, make_trainer(update_games=2))
    mail = office.live([letter(0)], [letter(1)])
    assert office.learner.trainer.version == 3  # of 2, 2 and 1 of its 5 games
    assert office.learner.trainer.own_steps == STEPS_OF_A_SEGMENT
    assert mail.acks() == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_an_update_takes_the_oldest_and_no_more_than_a_batch(office, letter):
    mail = office.live([letter(0), letter(1), letter(2), letter(3)])
    assert mail.acks()[3:] == [(3, 2, 0), (3, 3, 0), (3, 3, 3)]
    assert office.learner.trainer.version == 2
    assert office.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT


def test_an_update_waits_for_nobody(office, letter):
    office.live([letter(0), (b"actor 8", Hello(1, 1, 8, FINGERPRINT))], [letter(1)])
    assert office.learner.trainer.version == 1


def test_new_weights_are_published_at_the_start_and_after_every_update(office, letter):
    mail = office.live([letter(0), letter(1)], [letter(2)])
    shapes = {name: tensor.shape for name, tensor in office.learner.trainer.tensors().items()}
    weights = [decode_weights(frame, shapes) for frame in mail.published]
    assert [one.version for one in weights] == [0, 1, 2]
    assert [one.own_steps for one in weights] == [0, 40, 80]


def test_no_checkpoint_is_written_before_its_time(office, letter):
    written = []
    office.mail.between = lambda: written.append(office.archive.written)
    office.live([letter(0), letter(1)], [letter(2)], [])
    assert written == [0, 0, 0, 0]
    assert office.archive.written == 1  # the last one, when it stopped


def test_news_becomes_durable_when_the_time_has_come(office, letter):
    def pass_time():
        office.now += 6.0

    office.mail.between = pass_time
    mail = office.live([letter(0), letter(1)], [], [])
    assert office.archive.written >= 1
    assert mail.acks() == [(1, 0, 0), (1, 1, 0), (1, 1, 1)]


def test_who_says_bye_is_made_durable_at_once(office, letter):
    waiting = []
    office.mail.between = lambda: waiting.append(office.mail.acks()[-1:])
    office.live([letter(0), letter(1)], [(ACTOR, Bye(7))], [])
    assert waiting[-2] == [(1, 1, 1)]


def test_when_asked_to_stop_all_that_has_arrived_is_trained_and_made_durable(office, letter):
    letters = [letter(number) for number in range(8)]
    mail = office.live(letters)
    assert mail.acks()[-1] == (7, 7, 7)
    clocks, _ = read_checkpoint(newest_checkpoint(office.folder))
    assert clocks.own_steps == 7 * STEPS_OF_A_SEGMENT
    assert [mark.consumed for mark in clocks.watermarks] == [7]


def test_who_starts_again_knows_what_is_durable_and_goes_on_from_there(
    office, letter, make_trainer
):
    office.live([letter(0), letter(1), letter(2)])
    following = Office(office.folder, make_trainer(seed=77, batch_segments=2))
    mail = following.live([letter(0), letter(2), letter(3)])
    assert [type(message) for _, message in mail.sent[:2]] == [Welcome, Ack]
    assert mail.sent[0][1].durable == 2
    assert mail.acks() == [(2, 2, 2), (3, 2, 2), (3, 3, 2), (3, 3, 3)]
    assert following.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT


class TestPatience:
    """How long the learner waits for letters."""

    def test_is_none_while_segments_wait(self, office, letter):
        mail = office.live([letter(0), letter(1), letter(2), letter(3)], [])
        assert mail.waits[1] == 0.0

    def test_is_short_while_a_checkpoint_may_become_due(self, office, letter):
        mail = office.live([letter(0), letter(1)], [])
        assert 0 < mail.waits[1] <= 0.5

    def test_ends_when_the_checkpoint_is_due(self, office, letter):
        def pass_time():
            office.now += 4.9

        office.mail.between = pass_time
        mail = office.live([letter(0), letter(1)], [])
        assert mail.waits[1] == pytest.approx(0.5)
        assert mail.waits[2] == pytest.approx(0.2)

    def test_is_long_when_there_is_nothing_to_do(self, office):
        assert office.live([]).waits == [1.0, 1.0]


class TestNonsense:
    """Bytes that are no message of this run."""

    @pytest.fixture(params=["no message", "another shape", "an action that is none"])
    def nonsense(self, request, make_segment, trainer):
        if request.param == "no message":
            return (ACTOR, [b"nonsense"])
        if request.param == "another shape":
            return (ACTOR, make_segment(trainer, steps=4, epoch=7, seq=1))
        segment = make_segment(trainer, epoch=7, seq=1)
        return (ACTOR, replace(segment, actions=np.full_like(segment.actions, 7)))

    def test_is_refused_for_good_and_counted(self, office, letter, nonsense):
        mail = office.live([letter(0), nonsense])
        (refused,) = [message for _, message in mail.sent if isinstance(message, Refused)]
        assert refused.fatal
        assert office.learner.protocol_errors == 1
        assert office.learner.trainer.version == 0

    def test_harms_nobody_else(self, office, letter, nonsense):
        mail = office.live([nonsense], [letter(0), letter(1), nonsense, letter(2)])
        assert mail.acks()[-1] == (2, 2, 2)


def test_a_refusal_is_counted(office):
    office.live([(ACTOR, Hello(2, 0, 7, FINGERPRINT))])
    assert office.learner.refusals == 1


class TestAnUpdateThatIsNotFinite:
    """It must not outlive the process."""

    @pytest.fixture
    def exploding(self, letter):
        actor, segment = letter(2)
        huge = np.full_like(segment.reward, 3e38)
        return (actor, replace(segment, reward=huge))

    def test_ends_the_process_and_leaves_no_checkpoint(self, office, letter, exploding):
        with pytest.raises(ArithmeticError, match="update 2 is not finite"):
            office.live([letter(0), letter(1)], [exploding], [])
        assert newest_checkpoint(office.folder) is None

    def test_is_never_published(self, office, letter, exploding):
        with pytest.raises(ArithmeticError):
            office.live([letter(0), letter(1)], [exploding], [])
        assert len(office.mail.published) == 2


class TestAtTheBudget:
    """The run is complete, and yet it answers."""

    @pytest.fixture
    def office(self, tmp_path, trainer):
        return Office(tmp_path, trainer, budget=2 * STEPS_OF_A_SEGMENT)

    def test_the_last_weights_are_durable_at_once(self, office, letter):
        written = []
        office.mail.between = lambda: written.append(office.archive.written)
        office.live([letter(0), letter(1)], [letter(2)], [])
        assert written == [0, 0, 1, 1]

    def test_what_comes_after_is_acknowledged_counted_and_not_trained(self, office, letter):
        mail = office.live([letter(number) for number in range(6)], [letter(6)])
        assert office.learner.trainer.own_steps == 2 * STEPS_OF_A_SEGMENT
        assert office.intake.counts.surplus == 4
        assert mail.acks()[-1] == (6, 6, 6)
        assert mail.sent[-1][1].complete

    def test_who_starts_again_is_still_complete(self, office, letter, make_trainer):
        office.live([letter(number) for number in range(4)])
        following = Office(office.folder, make_trainer(), budget=2 * STEPS_OF_A_SEGMENT)
        mail = following.live([letter(0), letter(4)])
        assert mail.sent[0][1].complete
        assert following.learner.trainer.own_steps == 2 * STEPS_OF_A_SEGMENT

    def test_a_greater_budget_goes_on(self, office, letter, make_trainer):
        office.live([letter(number) for number in range(4)])
        following = Office(office.folder, make_trainer(), budget=3 * STEPS_OF_A_SEGMENT)
        following.live([letter(0), letter(4)])
        assert following.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT


def test_each_actor_hears_of_its_own_progress_only_and_only_of_news(office, letter):
    other = b"actor 8"
    mail = office.live(
        [letter(0), (other, Hello(1, 1, 8, FINGERPRINT))], [letter(1)], [letter(2)], []
    )
    # Trained segments are news to 7; newer weights are news to 8.
    assert mail.acks(other) == [(0, 0, 0), (0, 0, 0)]
    assert len(mail.acks()) == 5


def test_policy_lag_is_the_mean_number_of_updates_since_it_acted(office, letter):
    actor, third = letter(3)
    fresh = (actor, replace(third, weights_version=1))
    office.live([letter(0), letter(1)], [letter(2), fresh])
    assert office.learner.lag == 0.5


def test_the_ledger_tells_what_the_checkpoint_holds(office, letter):
    office.live([letter(0), letter(1), letter(1), letter(2)])
    account = json.loads((office.folder / "ledger.json").read_text())
    assert account["own_steps"] == 2 * STEPS_OF_A_SEGMENT
    assert account["updates"] == 1
    assert account["segments"] == {
        "received": 2,
        "trained": 2,
        "surplus": 0,
        "duplicate": 1,
        "given_up": 0,
    }


def test_metrics_read_the_learner_s_state(office, letter):
    office.live([letter(0), letter(1), letter(1), letter(2)], [(ACTOR, [b"nonsense"])])
    found = {
        metric.name: metric.samples[0].value for metric in LearnerMetrics(office.learner).collect()
    }
    assert found["ssd_learner_own_steps"] == 2 * STEPS_OF_A_SEGMENT
    assert found["ssd_learner_segments_received"] == 2
    assert found["ssd_learner_segments_duplicate"] == 1
    assert found["ssd_learner_protocol_errors"] == 1
    assert found["ssd_learner_checkpoints"] == 1
    assert found["ssd_learner_moa_loss_nats"] == office.learner.report.moa_loss


OF_THE_MOA = {"moa_loss_nats", "moa_marginal_entropy_nats", "moa_margin_nats", "moa_gradient_norm"}
OF_SYMBOLS = {"symbol_policy_loss", "symbol_value_loss", "symbol_entropy_nats"}
OF_INFLUENCE = {"beta", "influence_nats"}
OF_SOME = OF_THE_MOA | OF_SYMBOLS | OF_INFLUENCE | {"value_gradient_norm"}


@pytest.mark.parametrize(
    ("learning", "told"),
    [
        ({"experiment": {"influence": "off"}}, set()),
        ({"experiment": {"influence": "off"}, "algorithm": "ppo"}, {"value_gradient_norm"}),
        ({"experiment": {"influence": "moa"}}, OF_THE_MOA | OF_INFLUENCE),
        (
            {"experiment": {"influence": "moa_communication", "symbols": 3}, "algorithm": "ppo"},
            OF_SOME,
        ),
    ],
    ids=["A3C", "PPO", "influence", "PPO, symbols and a model"],
)
def test_metrics_tell_of_what_there_is_and_of_nothing_else(
    tmp_path, make_trainer, make_letter, learning, told
):
    trainer = make_trainer(**learning)
    office = Office(tmp_path, trainer)
    office.live([make_letter(trainer, 0), make_letter(trainer, 1)])
    names = {
        metric.name.removeprefix("ssd_learner_")
        for metric in LearnerMetrics(office.learner).collect()
    }
    assert names & OF_SOME == told
    assert names >= {"policy_loss", "kl_nats", "clipped_share", "explained_variance", "passes"}


def test_metrics_tell_nothing_of_a_model_when_nobody_was_in_view(
    tmp_path, make_trainer, make_letter
):
    trainer = make_trainer(experiment={"influence": "moa", "moa_only_when_visible": True})
    office = Office(tmp_path, trainer)
    actor, segment = make_letter(trainer, 1)
    alone = replace(segment, visible=np.zeros_like(segment.visible))
    office.live([make_letter(trainer, 0), (actor, alone)])
    names = {metric.name for metric in LearnerMetrics(office.learner).collect()}
    assert {name for name in names if "moa" in name} == {"ssd_learner_moa_gradient_norm"}


def test_before_the_first_update_nothing_is_said_of_one(office):
    names = {metric.name for metric in LearnerMetrics(office.learner).collect()}
    assert "ssd_learner_updates" in names
    assert not names & {"ssd_learner_policy_loss", "ssd_learner_moa_loss_nats"}
