"""A synthetic actor keeps the rules of a real one, and counts what holds it back."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_bench.parts.inputs import random_play, segment
from ssd_bench.synthetic_actors import SyntheticActor, SyntheticActors
from ssd_run.presets import load_config
from ssd_wire.codec import decode, encode
from ssd_wire.dims import Dims
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Ack, Bye, Hello, Refused, Segment, Welcome
from ssd_wire.weights import Weights, encode_weights

LANES, WINDOW, RETAINED = 3, 2, 8
ROOM = LANES * WINDOW
LEARNER = 55
DIMS = Dims(T=2, B=1, N=2, A=8, W=15, P=16)


class ListLink:
    """A link to a learner that the test plays."""

    def __init__(self):
        self.dropped = 0
        self.sent = []
        self.inbox = deque()

    def send(self, frames):
        wanted = (Hello, Segment, Bye)
        self.sent.append(decode([bytes(frame) for frame in frames], wanted, {}))
        return True

    def receive(self):
        while self.inbox:
            yield [bytes(frame) for frame in encode(self.inbox.popleft())]

    @property
    def segments(self):
        return [message for message in self.sent if isinstance(message, Segment)]


class NoWeights:
    def newest(self):
        return None


class Stage:
    """An actor, the learner's side of its connection, and a clock."""

    def __init__(self):
        sets = ("run.games=2", "run.segment=4", f"run.lanes={LANES}", "game.agents=2")
        config = load_config("harvest-a3c", sets)
        played = random_play(config, 0, 4, 10)
        segments = [segment(config, played[start : start + 6], 3) for start in (0, 4)]
        self.now = 100.0
        self.link = ListLink()
        outbox, hello = Outbox(LANES, RETAINED), Hello(0, 0, 7, "mark")
        client = LearnerClient(self.link, NoWeights(), hello, outbox, DIMS, {}, lambda: self.now)
        self.actor = SyntheticActor(7, client, LANES, segments)

    def welcome(self, version=0):
        weights = np.frombuffer(encode_weights(Weights(LEARNER, version, 0, {})), np.uint8)
        self.link.inbox.append(
            Welcome(7, LEARNER, 0, 0, 0, WINDOW, complete=False, weights=weights)
        )
        self.actor.play()

    def ack(self, trained, durable=0):
        self.link.inbox.append(
            Ack(7, LEARNER, trained, trained, durable, newest_version=0, complete=False)
        )
        self.actor.play()


@pytest.fixture
def stage():
    return Stage()


def test_no_segment_is_made_before_the_learner_sends_welcome(stage):
    stage.actor.play()
    assert [type(message) for message in stage.link.sent] == [Hello]


def test_an_actor_fills_its_window_with_segments_numbered_over_all_lanes(stage):
    stage.welcome(version=3)
    assert [one.seq for one in stage.link.segments] == [1, 2, 3, 4, 5, 6]
    assert [one.lane for one in stage.link.segments] == [0, 1, 2, 0, 1, 2]
    assert {(one.learner_incarnation, one.weights_version) for one in stage.link.segments} == {
        (LEARNER, 3)
    }


def test_an_actor_continues_when_segments_have_been_trained(stage):
    stage.welcome()
    stage.ack(trained=2)
    assert len(stage.link.segments) == ROOM + 2


def test_an_actor_retains_no_more_segments_than_allowed_until_they_are_durable(stage):
    stage.welcome()
    stage.ack(trained=ROOM)
    assert len(stage.link.segments) == RETAINED
    stage.ack(trained=RETAINED)
    assert len(stage.link.segments) == RETAINED
    stage.ack(trained=RETAINED, durable=3)
    assert len(stage.link.segments) == RETAINED + 3


def test_after_a_gap_an_actor_sends_hello_and_then_all_segments_that_the_learner_lacks(stage):
    stage.welcome()
    stage.link.sent.clear()
    stage.link.inbox.append(Refused("wanted segment 1, found 2: say Hello", fatal=False))
    stage.actor.play()
    assert [type(message) for message in stage.link.sent] == [Hello]
    stage.welcome()
    assert [one.seq for one in stage.link.segments] == [1, 2, 3, 4, 5, 6]
    assert stage.actor.learner.outbox.resent == ROOM


def test_a_fatal_refusal_ends_an_actor(stage):
    stage.link.inbox.append(Refused("another run", fatal=True))
    with pytest.raises(RefusedError, match="another run"):
        stage.actor.play()


class SilentPoller:
    """Receives nothing until it is asked to stop."""

    def __init__(self, waits):
        self.waits = waits

    def wait(self, seconds):
        assert seconds >= 0
        self.waits -= 1
        return self.waits >= 0


def test_actors_play_until_enough_is_trained_or_it_is_asked_to_stop(stage):
    actors = SyntheticActors(SilentPoller(2).wait, [stage.actor])
    actors.play(trained=0)
    with pytest.raises(KeyboardInterrupt):
        actors.play(trained=1)


def test_the_counts_of_all_actors_are_added_up(stage):
    other = Stage()
    actors = SyntheticActors(SilentPoller(1).wait, [stage.actor, other.actor])
    stage.welcome()
    other.welcome()
    other.ack(trained=2)
    assert (actors.total("made"), actors.total("trained")) == (2 * ROOM + 2, 2)


def test_actors_have_finished_when_everything_is_durable(stage):
    stage.welcome()
    stage.link.inbox.append(Ack(7, LEARNER, ROOM, ROOM, ROOM, newest_version=0, complete=False))
    assert SyntheticActors(SilentPoller(9).wait, [stage.actor]).finish()
    assert isinstance(stage.link.sent[-1], Bye)
