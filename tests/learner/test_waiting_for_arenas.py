"""A batch waits for the shares of all arenas, for a limited time."""

import math
from collections import Counter

import pytest
from tests.learner.harness import Harness

from ssd_learner.metrics import LearnerMetrics
from ssd_wire.messages import Bye

SHARE = 2  # segments


class Run:
    """A learner, and actors of agent 1 in some arenas; the epoch of each is the arena's number."""

    def __init__(self, harness, trainer, make_message, sent=()):
        self.harness = harness
        self.learner = harness.learner
        self.sent = Counter(sent)
        self._trainer = trainer
        self._make_message = make_message
        self._greeted = set()
        self.during_training = lambda: None
        self._trained_on = harness.learner._train
        harness.learner._train = self._train

    def at(self, now, *epochs, arena=None):
        """At a moment, each of these actors sends its next segment, after a Hello if it sent none.

        Returns:
            How many segments of each actor are trained on at once; none if the learner goes on
            waiting.
        """
        self.harness.now = now
        messages = []
        for epoch in epochs:
            self.sent[epoch] += 1
            numbers = [self.sent[epoch]] if epoch in self._greeted else [0, self.sent[epoch]]
            self._greeted.add(epoch)
            for number in numbers:
                place = epoch if arena is None else arena
                messages.append(self._make_message(self._trainer, number, epoch, arena=place))
        return self._handle(messages)

    def leaves(self, epoch):
        """An actor says that it will send no more; returns as `at` does."""
        return self._handle([(f"actor {epoch}".encode(), Bye(epoch))])

    def _handle(self, messages):
        before = self._trained()
        self.harness.links._arrived = messages
        self.learner.handle_messages()
        if self.learner.has_batch():
            self.learner.train_batch()
        trained = self._trained()
        differences = {epoch: count - before.get(epoch, 0) for epoch, count in trained.items()}
        return {epoch: count for epoch, count in differences.items() if count}

    def _train(self, *args):
        self.during_training()
        return self._trained_on(*args)

    def _trained(self):
        return {epoch.number: epoch.trained for epoch in self.harness.receiver.epochs}


@pytest.fixture
def start(tmp_path, make_trainer, make_message):
    def make(sent=(), **settings):
        trainer = make_trainer(algorithm="ppo", chunk=4, minibatch=20, passes=1)
        settings = {"batch_threshold": SHARE, "wait_for_arenas": True} | settings
        return Run(Harness(tmp_path, trainer, **settings), trainer, make_message, sent)

    return make


@pytest.fixture
def run(start):
    """Arenas 1 and 2 have had a batch with both shares, which was taken at 10 s."""
    run = start()
    assert run.at(9, 1, 2, 1) == {}
    assert run.at(10, 2) == {1: 2, 2: 2}
    return run


def test_a_batch_has_the_whole_shares_of_all_arenas(run):
    assert run.at(11, 1) == {}
    assert run.at(14, 1) == {}
    assert run.at(14.5, 2) == {}
    assert run.at(14.6, 2) == {1: 2, 2: 2}


def test_the_others_have_a_quarter_of_the_time_that_the_first_share_took(run):
    run.at(11, 1, 2)
    assert run.at(18, 1) == {}
    assert run.learner.seconds_until_batch() == 2
    assert run.at(19.9) == {}
    assert run.at(20) == {1: 2, 2: 1}


def test_the_time_is_counted_from_when_the_last_batch_was_taken(start):
    run = start()
    run.during_training = lambda: setattr(run.harness, "now", run.harness.now + 4)
    run.at(9, 1, 2, 1)
    assert run.at(10, 2) == {1: 2, 2: 2}
    assert run.at(18, 1, 1, 2) == {}
    assert run.learner.seconds_until_batch() == 2


def test_the_learner_wakes_up_at_the_limit_without_a_message(run):
    run.at(11, 1, 2)
    run.at(18, 1)
    run.learner.save_checkpoint()
    run.at(19.75)
    assert run.learner.wait_seconds() == 0.25  # nothing else is to be done
    assert run.at(20) == {1: 2, 2: 1}
    run.at(24, 1, 1, 2)
    run.at(24.75)
    assert run.learner.wait_seconds() == 0.25  # a checkpoint is due later


def test_the_limit_is_a_minute(run):
    run.at(1000, 1, 1, 2)
    assert run.at(1059) == {}
    assert run.at(1060) == {1: 2, 2: 1}


def test_an_arena_that_sent_nothing_for_a_batch_is_not_waited_for(run):
    run.at(14, 1, 1)
    assert run.at(15) == {1: 2}  # it was waited for once
    assert run.at(16, 1, 1) == {1: 2}


def test_an_arena_that_sends_again_is_waited_for_again(run):
    run.at(14, 1, 1)
    assert run.at(15) == {1: 2}
    run.at(16, 2)
    assert run.at(19, 1, 1) == {}
    assert run.at(19.5, 2) == {1: 2, 2: 2}


def test_an_arena_that_joins_is_waited_for_from_its_first_segment_on(run):
    assert run.at(14, 1, 2, 3, 1, 2) == {}
    assert run.at(14.5, 3) == {1: 2, 2: 2, 3: 2}


def test_an_actor_and_the_one_that_replaces_it_have_one_share_together(run):
    assert run.at(14, 1, 2, 1) == {}
    assert run.at(14.5, 20, arena=2) == {1: 2, 2: 1, 20: 1}


def test_a_share_that_two_actors_sent_is_enough_to_begin(run):
    assert run.at(14, 2) == {}
    assert run.at(15, 20, arena=2) == {}
    assert run.at(16, 1, 1) == {1: 2, 2: 1, 20: 1}


def test_a_restarted_learner_waits_for_the_arenas_of_its_checkpoint(run, start):
    run.learner.save_checkpoint()
    again = start(run.sent)
    assert again.at(4, 1, 1) == {}
    assert again.at(4.5, 2, 2) == {1: 2, 2: 2}


def test_an_actor_that_leaves_is_not_waited_for_but_its_successor_is(run):
    assert run.leaves(2) == {}
    assert run.at(14, 1, 1) == {1: 2}
    run.at(15, 20, arena=2)
    assert run.at(18, 1, 1) == {}
    assert run.at(18.5, 20) == {1: 2, 20: 2}


def test_nobody_is_waited_for_once_an_actor_leaves_with_part_of_its_share_sent(run):
    assert run.at(11, 1, 2) == {}
    assert run.leaves(2) == {1: 1, 2: 1}


def test_an_only_arena_does_not_wait(start):
    run = start()
    assert run.at(5, 1) == {}
    assert run.at(10, 1) == {1: 2}


def test_nobody_is_waited_for_when_the_budget_is_covered(start):
    run = start(budget=2 * 8 * 5)
    assert run.at(5, 1, 2) == {1: 1, 2: 1}


def test_without_the_setting_nobody_is_waited_for(start):
    run = start(wait_for_arenas=False)
    run.at(5, 1, 2)
    assert run.at(6, 1) == {1: 2, 2: 1}
    assert run.learner.seconds_until_batch() == math.inf


def test_metrics_count_batches_without_an_arena_s_whole_share(run):
    def incomplete():
        found = {metric.name: metric for metric in LearnerMetrics(run.learner).collect()}
        return found["ssd_learner_incomplete_batches"].samples[0].value

    assert run.at(14, 1, 1, 2) == {}
    assert run.at(14.5, 2) == {1: 2, 2: 2}
    assert incomplete() == 0
    run.at(18.5, 1, 1, 2)
    assert run.at(19.5) == {1: 2, 2: 1}
    assert incomplete() == 1
