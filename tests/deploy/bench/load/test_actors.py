"""A synthetic actor keeps the rules of a real one, and counts what holds it back."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from ssd_actors.ledger import Ledger
from ssd_actors.outbox import Outbox
from ssd_actors.teacher import Teacher
from ssd_bench.load.actors import Crowd, Player
from ssd_bench.load.segments import cast, draw
from ssd_run.plan import validate
from ssd_run.presets import load_preset
from ssd_wire.codec import decode, encode
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Ack, Bye, Hello, Refused, Segment, Welcome
from ssd_wire.runfile import override
from ssd_wire.weights import Weights, encode_weights

LANES, WINDOW, RETAINED = 3, 2, 8
ROOM = LANES * WINDOW
LEARNER = 55


class ListLine:
    """A line to a learner that is in our hand."""

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


class NoNews:
    def newest(self):
        return None


class Stage:
    """A player, the learner's part, and a clock."""

    def __init__(self, tmp_path, pace=0.0):
        sets = ("run.games=2", "run.segment=4", f"run.lanes={LANES}", "game.agents=2")
        who = cast(validate(override(load_preset("harvest-a3c"), sets)), agent=0)
        who = who.__class__(**{**vars(who), "tensors": {}})
        self.now = 100.0
        self.line = ListLine()
        self.ledger = tmp_path / "ledger.json"
        hello = Hello(0, 0, 7, "mark")
        teacher = Teacher(
            self.line, NoNews(), hello, Outbox(LANES, RETAINED), {}, {}, lambda: self.now
        )
        self.player = Player(
            (0, 0, 7),
            teacher,
            Ledger(self.ledger, 0, 0, 7),
            LANES,
            draw(who, 2),
            pace,
            lambda: self.now,
        )

    def welcome(self, version=0):
        weights = np.frombuffer(encode_weights(Weights(LEARNER, version, 0, {})), np.uint8)
        self.line.inbox.append(
            Welcome(7, LEARNER, 0, 0, 0, WINDOW, complete=False, weights=weights)
        )
        self.player.play()

    def ack(self, trained, durable=0):
        self.line.inbox.append(Ack(7, LEARNER, trained, trained, durable, newest=0, complete=False))
        self.player.play()

    def wait(self, seconds):
        self.now += seconds
        self.player.play()

    @property
    def made(self):
        return self.player.teacher.outbox.made


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_nothing_is_made_before_the_learner_says_welcome(stage):
    stage.player.play()
    assert [type(message) for message in stage.line.sent] == [Hello]
    assert stage.player.waits == 0


def test_it_makes_what_its_window_allows_numbered_over_all_lanes_in_turn(stage):
    stage.welcome(version=3)
    assert [one.seq for one in stage.line.segments] == [1, 2, 3, 4, 5, 6]
    assert [one.lane for one in stage.line.segments] == [0, 1, 2, 0, 1, 2]
    assert {(one.learner, one.version) for one in stage.line.segments} == {(LEARNER, 3)}


def test_it_goes_on_when_something_was_trained(stage):
    stage.welcome()
    stage.ack(trained=2)
    assert len(stage.line.segments) == ROOM + 2


def test_it_keeps_no_more_than_may_be_kept_until_durable(stage):
    stage.welcome()
    stage.ack(trained=ROOM)
    assert len(stage.line.segments) == RETAINED
    stage.ack(trained=RETAINED)
    assert len(stage.line.segments) == RETAINED
    stage.ack(trained=RETAINED, durable=3)
    assert len(stage.line.segments) == RETAINED + 3


def test_it_counts_each_wait_for_room_and_how_long_it_was(stage):
    stage.welcome()
    stage.wait(2.0)
    assert (stage.player.waits, stage.player.waited) == (1, 2.0)
    stage.ack(trained=1)  # room for one, and full again
    stage.wait(0.5)
    assert (stage.player.waits, stage.player.waited) == (2, 2.5)


def test_at_a_pace_one_segment_is_due_at_a_time(tmp_path):
    stage = Stage(tmp_path, pace=2.0)
    stage.welcome()
    assert stage.made == 1
    stage.wait(1.9)
    assert stage.made == 1
    stage.wait(0.2)  # a little late
    assert stage.made == 2
    stage.wait(1.9)  # but not behind
    assert stage.made == 3
    assert stage.player.waits == 0


def test_what_was_not_lived_while_it_waited_is_not_made_up_for(tmp_path):
    stage = Stage(tmp_path, pace=1.0)
    stage.welcome()
    for _ in range(ROOM + 20):
        stage.wait(1.0)
    assert stage.made == ROOM
    stage.ack(trained=ROOM)
    assert stage.made == ROOM + 1
    assert stage.player.waits == 1


def test_the_ledger_knows_of_a_segment_before_the_learner_does(stage):
    heard = []
    send = stage.line.send
    stage.line.send = lambda frames: heard.append(stage.ledger.read_text()) or send(frames)
    stage.welcome()
    assert all(f'"made": {ROOM}' in text for text in heard[-ROOM:])


def test_after_a_gap_it_says_hello_and_sends_again_from_where_the_learner_stands(stage):
    stage.welcome()
    stage.line.sent.clear()
    stage.line.inbox.append(Refused("wanted segment 1, found 2: say Hello", fatal=False))
    stage.player.play()
    assert [type(message) for message in stage.line.sent] == [Hello]
    stage.welcome()
    assert [one.seq for one in stage.line.segments] == [1, 2, 3, 4, 5, 6]
    assert stage.player.teacher.outbox.resent == ROOM


def test_a_refusal_for_good_ends_it(stage):
    stage.line.inbox.append(Refused("another run", fatal=True))
    with pytest.raises(RefusedError, match="another run"):
        stage.player.play()


class SilentEars:
    """Hears nothing until it is asked to stop."""

    def __init__(self, waits):
        self.waits = waits

    def wait(self, seconds):
        assert seconds >= 0
        self.waits -= 1
        return self.waits >= 0


def test_a_crowd_plays_until_it_is_enough_or_until_asked_to_stop(stage):
    crowd = Crowd(SilentEars(2), [stage.player], [stage.line])
    assert crowd.play_until(lambda: True)
    assert not crowd.play_until(lambda: False)


def test_a_crowd_adds_up_its_players(stage, tmp_path):
    other = Stage(tmp_path / "other")
    crowd = Crowd(SilentEars(1), [stage.player, other.player], [stage.line, other.line])
    stage.welcome()
    other.welcome()
    other.ack(trained=2)
    other.line.dropped = 4
    assert (crowd.made, crowd.trained, crowd.dropped, crowd.waits) == (2 * ROOM + 2, 2, 4, 3)
