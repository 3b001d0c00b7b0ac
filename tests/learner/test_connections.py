"""An actor and its learner over ZeroMQ, and a relay that cuts their connections."""

import time
from contextlib import closing

import pytest
from tests.learner.recording_trainer import (
    AGENT,
    DIMS,
    FINGERPRINT,
    RecordingTrainer,
    numbered_segment,
)
from tests.system.relay import Relay
from tests.until import until

from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.learner import Learner
from ssd_learner.reporting.report import Report
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.messages import Hello
from ssd_wire.sockets import Dealer, Router


class NoWeights:
    """A weights subscription on which nothing is published."""

    def newest(self):
        return None

    def reopen(self):
        pass


class RouterLinks:
    """The learner's links, without publishing weights."""

    def __init__(self, router):
        self.receive, self.send = router.receive, router.send

    def publish(self, frame):
        pass


class Pair:
    """A learner and an actor's client. Whichever is not stepped, is busy."""

    def __init__(self, router, relay, dealer):
        self.router, self.relay, self.dealer = router, relay, dealer
        self.trainer = RecordingTrainer("vtrace")
        self.learner = Learner(
            RouterLinks(router),
            self.trainer,
            SegmentReceiver(AGENT, 5, FINGERPRINT, 100),
            Checkpointer(None, None, interval=0.0, keep=1),
            DIMS,
            window=100,
            train=self._train,
        )
        self.learner.publish_weights()
        hello = Hello(AGENT, 0, 7, FINGERPRINT)
        self.outbox = Outbox(lanes=1, max_kept=100)
        self.client = LearnerClient(
            dealer, NoWeights(), hello, self.outbox, DIMS, {}, time.monotonic
        )

    @staticmethod
    def _train(trainer, segments, _poll):
        trainer.train_on(segments)
        return Report()

    def step_actor(self):
        self.client.poll()
        time.sleep(0.002)

    def step_both(self):
        self.learner.handle_messages()
        if self.learner.has_batch():
            self.learner.train_batch()
            self.learner.save_checkpoint()
        self.step_actor()

    def make_segments(self, number):
        for _ in range(number):
            self.client.push(numbered_segment(self.outbox.made + 1), lane=0)
            self.step_actor()


@pytest.fixture
def pair(monkeypatch):
    monkeypatch.setattr("ssd_learner.checkpoints.checkpointer.write_checkpoint", lambda *_: None)
    with closing(Router("tcp://127.0.0.1:0")) as router, closing(Relay(router.endpoint)) as relay:
        dealer = Dealer(relay.endpoint)
        with closing(dealer):
            made = Pair(router, relay, dealer)
            until(made.client.has_room, made.step_both)
            yield made


def test_connections_cut_while_the_learner_is_busy_lose_and_repeat_no_segment(pair):
    for connections in (2, 3, 4):
        pair.make_segments(2)
        pair.relay.cut()
        until(lambda wanted=connections: len(pair.relay.received) >= wanted, pair.step_actor)
        pair.make_segments(2)
        until(lambda: pair.outbox.all_durable, pair.step_both)
    assert pair.trainer.trained == tuple(range(1, 13))


def test_a_learner_that_was_busy_for_long_hears_an_actor_that_reconnected(pair, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr("ssd_actors.retry.RECONNECT_SECONDS", 0.3)
        pair.make_segments(2)
        until(lambda: len(pair.relay.received) >= 3, pair.step_actor)
    pair.make_segments(1)
    until(lambda: pair.outbox.all_durable, pair.step_both)
    assert pair.trainer.trained == (1, 2, 3)


def test_two_processes_that_claim_one_epoch_do_not_end_the_learner(pair):
    with closing(Dealer(pair.relay.endpoint)) as dealer:
        twin = Pair(pair.router, pair.relay, dealer)
        twin.learner, twin.trainer = pair.learner, pair.trainer
        until(twin.client.has_room, lambda: (twin.step_both(), pair.step_actor()))
    pair.make_segments(3)
    until(lambda: pair.outbox.all_durable, pair.step_both)
    assert pair.trainer.trained == (1, 2, 3)
