"""An actor and its learner, over ZeroMQ and a relay that cuts their connections."""

import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from tests.learner.diary import AGENT, FINGERPRINT, SIZES, Diary, Disk, segment_of
from tests.system.relay import Relay
from tests.until import until

from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.learner import Learner
from ssd_learner.reporting.report import Report
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.links import Dealer, Router
from ssd_wire.messages import Hello


class Pair:
    """Both ends. What a test does not let work, is busy."""

    def __init__(self, router, relay, dealer):
        self.router, self.relay, self.dealer = router, relay, dealer
        self.receive, self.send = router.receive, router.send  # it is the learner's mail
        self.publish = lambda _frame: None
        self.trainer = Diary(Disk(), "vtrace")
        archive = Checkpointer(None, None, seconds=0.0, keep=1)
        intake = SegmentReceiver(AGENT, 5, FINGERPRINT, 100)
        self.learner = Learner(
            self, self.trainer, intake, archive, SIZES, window=100, train=self.train
        )
        self.learner.publish_weights()
        news = SimpleNamespace(newest=lambda: None, reopen=lambda: None)
        hello = Hello(AGENT, 0, 7, FINGERPRINT)
        self.outbox = Outbox(lanes=1, retained=100)
        self.teacher = LearnerClient(dealer, news, hello, self.outbox, SIZES, {}, time.monotonic)

    @staticmethod
    def train(trainer, segments, _tend):
        trainer.learn(segments)
        return Report()

    def actor_works(self):
        self.teacher.tend()
        time.sleep(0.002)

    def both_work(self):
        self.learner.read_mail()
        if self.learner.has_batch():
            self.learner.train_what_has_arrived()
            self.learner.save()
        self.actor_works()

    def make(self, number):
        for _ in range(number):
            self.teacher.push(segment_of(self.outbox.made + 1), lane=0)
            self.actor_works()


@pytest.fixture
def pair(monkeypatch):
    monkeypatch.setattr("ssd_learner.checkpoints.checkpointer.write_checkpoint", lambda *_: None)
    with closing(Router("tcp://127.0.0.1:0")) as router, closing(Relay(router.endpoint)) as relay:
        dealer = Dealer(relay.endpoint)
        with closing(dealer):
            made = Pair(router, relay, dealer)
            until(made.teacher.has_room, made.both_work)
            yield made


def test_a_connection_cut_while_the_learner_is_busy_costs_and_repeats_no_segment(pair):
    for connections in (2, 3, 4):
        pair.make(2)
        pair.relay.cut()
        until(lambda wanted=connections: len(pair.relay.heard) >= wanted, pair.actor_works)
        pair.make(2)
        until(lambda: pair.outbox.is_settled, pair.both_work)
    assert pair.trainer.trained == tuple(range(1, 13))


def test_a_learner_that_is_busy_for_long_hears_an_actor_that_connected_anew(pair, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr("ssd_actors.retry.IN_VAIN", 0.3)
        pair.make(2)
        until(lambda: len(pair.relay.heard) >= 3, pair.actor_works)
    pair.make(1)
    until(lambda: pair.outbox.is_settled, pair.both_work)
    assert pair.trainer.trained == (1, 2, 3)


def test_of_two_processes_that_claim_one_epoch_neither_ends_the_learner(pair):
    with closing(Dealer(pair.relay.endpoint)) as dealer:
        twin = Pair(pair.router, pair.relay, dealer)
        twin.learner, twin.trainer = pair.learner, pair.trainer
        until(twin.teacher.has_room, lambda: (twin.both_work(), pair.actor_works()))
    pair.make(3)
    until(lambda: pair.outbox.is_settled, pair.both_work)
    assert pair.trainer.trained == (1, 2, 3)
