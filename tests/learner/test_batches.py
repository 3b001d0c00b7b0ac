"""When the learner begins a batch, and what it answers while it trains on one."""

from dataclasses import replace
from itertools import count

import pytest
from tests.learner.office import ACTOR, STOP, Office

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
def letter(make_letter, trainer):
    """Makes what an actor sends: its Hello (0), or its segment of a number."""

    def make(number, epoch=7):
        return make_letter(trainer, number, epoch, arena=epoch)

    return make


class TestTheBeginningOfABatch:
    """Comes when one actor has sent its share, three segments, or will send no more of it."""

    @pytest.fixture
    def office(self, tmp_path, trainer):
        return Office(tmp_path, trainer, fill=3)

    @pytest.fixture
    def trained(self, office):
        """How many segments were trained, at each wait."""
        trained = []
        office.mail.between = lambda: trained.append(office.intake.counts.trained)
        return trained

    def test_is_not_before_the_share_is_whole(self, office, letter, trained):
        office.live([letter(0), letter(1)], [letter(2)], [letter(3)], [])
        assert trained == [0, 0, 0, 3, 3]
        assert office.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT

    def test_does_not_come_of_shares_that_are_whole_only_together(self, office, letter, trained):
        office.live([letter(0), letter(1), letter(2)], [letter(n, epoch=8) for n in range(3)], [])
        assert trained == [0, 0, 0, 0]

    def test_waits_for_no_other_actor_and_takes_along_what_it_has_sent(
        self, office, letter, trained
    ):
        others = [letter(0, epoch=8), letter(1, epoch=8), letter(0, epoch=9)]
        mail = office.live(others, [letter(n) for n in range(4)], [])
        assert trained == [0, 0, 4, 4]
        assert mail.acks(b"actor 8")[-1] == (1, 1, 1)

    def test_is_at_once_when_an_actor_leaves(self, office, letter, trained):
        office.live([letter(0), letter(1)], [(ACTOR, Bye(7))], [])
        assert trained == [0, 0, 1, 1]

    def test_is_not_when_one_leaves_who_has_nothing_waiting(self, office, letter, trained):
        office.live([letter(0), letter(1), letter(0, epoch=8)], [(b"actor 8", Bye(8))], [])
        assert trained == [0, 0, 0, 0]

    def test_is_waited_for_without_haste(self, office, letter):
        mail = office.live([letter(0), letter(1)], [])
        assert mail.waits == [1.0, 1.0, 1.0]

    def test_is_whatever_waits_when_the_learner_is_asked_to_stop(self, office, letter, trained):
        mail = office.live([letter(0), letter(1)], [letter(2)])
        assert trained == [0, 0, 0]
        assert mail.acks()[-1] == (2, 2, 2)

    def test_is_when_the_budget_is_met(self, tmp_path, trainer, letter):
        office = Office(tmp_path, trainer, fill=3, budget=2 * STEPS_OF_A_SEGMENT)
        trained = []
        office.mail.between = lambda: trained.append(office.intake.counts.trained)
        office.live([letter(0), letter(1)], [letter(2)], [])
        assert trained == [0, 0, 2, 2]
        assert office.intake.complete

    def test_is_not_when_the_budget_is_not_quite_met(self, tmp_path, trainer, letter):
        office = Office(tmp_path, trainer, fill=3, budget=2 * STEPS_OF_A_SEGMENT + 1)
        trained = []
        office.mail.between = lambda: trained.append(office.intake.counts.trained)
        office.live([letter(0), letter(1)], [letter(2)], [])
        assert trained == [0, 0, 0, 0]


class TestLettersThatComeWhileItTrains:
    """They are answered after the next update, and nothing that is half done is told of."""

    @pytest.fixture
    def office(self, tmp_path, trainer):
        return Office(tmp_path, trainer)

    def test_are_answered_before_training_is_over(self, office, letter):
        answered = []
        office.mail.meanwhile = iter([])
        office.live([letter(0), letter(1)], meanwhile=self.noting(office, answered, letter(2)))
        assert answered == [False, True, True, True]

    @staticmethod
    def noting(office, answered, letter):
        """A letter at the first chance; whether it was acknowledged, at each."""
        for letters in ([letter], [], [], []):
            answered.append(any(ack.received == 2 for ack in office.mail.whole_acks()))
            yield letters

    def test_find_what_is_in_training_untrained(self, office, letter):
        mail = office.live([letter(0), letter(1)], meanwhile=[[], [letter(2)]])
        assert mail.acks()[:3] == [(1, 0, 0), (2, 0, 0), (2, 1, 0)]

    def test_are_told_of_the_newest_weights_that_were_published(self, office, letter):
        mail = office.live([letter(0), letter(1)], meanwhile=[[], [letter(2)]])
        newest = [ack.newest_version for ack in mail.whole_acks()]
        assert newest[:3] == [0, 0, UPDATES]

    def test_are_welcomed_with_the_newest_weights_that_were_published(self, office, letter):
        tensors = office.learner.trainer.tensors()
        before = {name: tensor.copy() for name, tensor in tensors.items()}
        mail = office.live([letter(0), letter(1)], meanwhile=[[], [letter(0, epoch=8)]])
        (welcome,) = [message for peer, message in mail.sent if peer == b"actor 8"][:1]
        assert isinstance(welcome, Welcome)
        shapes = {name: tensor.shape for name, tensor in before.items()}
        weights = decode_weights(welcome.weights.tobytes(), shapes)
        assert weights.version == 0
        assert all((weights.tensors[name] == before[name]).all() for name in before)

    def test_are_trained_in_the_next_batch(self, office, letter):
        office.live([letter(0), letter(1)], [], meanwhile=[[letter(2)]])
        assert office.learner.trainer.version == 2 * UPDATES
        assert office.learner.trainer.own_steps == 2 * STEPS_OF_A_SEGMENT

    def test_are_welcome_from_a_newer_actor_too_and_lose_nothing_of_the_former(
        self, office, letter, make_letter, trainer
    ):
        newer = make_letter(trainer, 0, epoch=8, arena=7)
        office.live([letter(0), letter(1)], meanwhile=[[newer]])
        marks = {epoch.number: (epoch.consumed, epoch.retired) for epoch in office.intake.epochs}
        assert marks == {7: (1, True), 8: (0, False)}


class TestAskedToStopWhileItTrains:
    """The pass under way is its last."""

    @pytest.fixture
    def office(self, tmp_path, trainer):
        return Office(tmp_path, trainer)

    def test_it_ends_that_pass_and_makes_all_durable(self, office, letter):
        mail = office.live([letter(0), letter(1)], meanwhile=[STOP])
        assert office.learner.report.passes == 1
        assert office.learner.trainer.version == UPDATES / 2
        assert mail.acks()[-1] == (1, 1, 1)
        clocks, _ = read_checkpoint(newest_checkpoint(office.folder))
        assert clocks.own_steps == STEPS_OF_A_SEGMENT

    def test_it_does_stop_though_letters_keep_coming(self, office, letter):
        def for_ever():
            yield STOP
            for number in count(2):
                assert number < 10, "it never stops"
                yield [letter(number)]

        mail = office.live([letter(0), letter(1)], meanwhile=for_ever())
        received, trained, durable = mail.acks()[-1]
        assert received == trained == durable


class KilledError(Exception):
    """The process is gone, in the middle of what it did."""


def dies_after(updates):
    """No letters, and the end."""
    for _ in range(updates - 1):
        yield []
    raise KilledError


@pytest.mark.parametrize("updates", range(1, UPDATES + 1))
def test_who_is_killed_in_the_middle_of_its_passes_loses_and_repeats_nothing(
    tmp_path, make_trainer, letter, updates
):
    def began_again(name, seed):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return Office(folder, make_trainer(seed=seed, **PPO))

    began_again("killed", 5).live([letter(0), letter(1)])
    with pytest.raises(KilledError):
        began_again("killed", 6).live([letter(0), letter(2)], meanwhile=dies_after(updates))
    after = began_again("killed", 7)
    mail = after.live([letter(0), letter(2), letter(3)])
    assert (mail.sent[0][1].received, mail.sent[0][1].durable) == (1, 1)
    assert mail.acks()[-1] == (3, 3, 3)
    assert after.learner.trainer.own_steps == 3 * STEPS_OF_A_SEGMENT

    began_again("never killed", 5).live([letter(0), letter(1)])
    quiet = began_again("never killed", 6)
    quiet.live([letter(0), letter(2), letter(3)])
    ours, theirs = after.learner.trainer.state(), quiet.learner.trainer.state()
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_policy_lag_is_the_mean_over_all_updates_of_the_batch(tmp_path, trainer, letter):
    office = Office(tmp_path, trainer)
    office.live([letter(0), letter(1)])
    assert office.learner.lag == (0 + 1 + 2 + 3) / 4
    actor, third = letter(3)
    fresh = actor, replace(third, weights_version=UPDATES)
    again = Office(tmp_path, trainer)
    again.live([letter(0), letter(2), fresh])
    of_an_old_one, of_a_fresh_one = (4 + 5 + 6 + 7) / 4, (0 + 1 + 2 + 3) / 4
    # Twice the steps are twice the updates: their mean is later by as much as half of them.
    assert again.learner.trainer.version == 3 * UPDATES
    assert again.learner.lag == (of_an_old_one + of_a_fresh_one) / 2 + UPDATES / 2
