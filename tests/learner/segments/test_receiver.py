import numpy as np
import pytest

from ssd_learner.segments.epochs import Epoch, Watermark
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.messages import Bye, Hello, Refused, Segment

FINGERPRINT = "this run"
RETAINED = 10


def make_intake(watermarks=()):
    return SegmentReceiver(1, 99, FINGERPRINT, RETAINED, watermarks)


def hello(intake, epoch=7, arena=0, agent=1, fingerprint=FINGERPRINT):
    return intake.hello(peer(epoch), Hello(agent, arena, epoch, fingerprint))


def peer(epoch):
    return f"actor {epoch}".encode()


def segment(epoch, seq):
    def zeros(dtype, *shape):
        return np.zeros(shape, dtype)

    return Segment(
        epoch=epoch,
        seq=seq,
        lane=0,
        learner_incarnation=99,
        weights_version=0,
        pixels=zeros(np.uint8, 2, 1, 3, 3),
        is_first=zeros(np.bool_, 2, 1),
        visible=zeros(np.bool_, 2, 1, 2),
        actions=zeros(np.uint8, 3, 1, 2),
        log_prob=zeros(np.float32, 1, 1),
        reward=zeros(np.float32, 1, 1),
        influence=zeros(np.float32, 1, 1),
        state=zeros(np.float32, 1, 4),
    )


def send(intake, seq, epoch=7):
    return intake.segment(peer(epoch), segment(epoch, seq))


def progress(epoch):
    return (epoch.received, epoch.consumed, epoch.durable)


def checkpoint(intake):
    """Save; what the next learner starts with."""
    marks = tuple(epoch.watermark() for epoch in intake.epochs)
    intake.made_durable(marks)
    return SegmentReceiver(1, 100, FINGERPRINT, RETAINED, marks, intake.consumed_counts())


def trained(intake, most=100):
    """Train on what waits; what that was."""
    taken = intake.take(most)
    intake.trained()
    return [(one.epoch, one.seq) for one in taken]


@pytest.fixture
def intake():
    """Epoch 7 of arena 0 has said Hello."""
    made = make_intake()
    hello(made)
    return made


def assert_adds_up(intake):
    counts = intake.counts
    assert counts.received == counts.trained + counts.surplus + intake.waiting
    assert counts.received == sum(epoch.received for epoch in intake.epochs)
    assert counts.surplus == sum(epoch.surplus for epoch in intake.epochs)


def test_an_epoch_begins_with_nothing():
    assert progress(hello(make_intake())) == (0, 0, 0)


def test_segments_are_trained_in_the_order_they_came_in(intake):
    hello(intake, epoch=8, arena=1)
    for epoch, seq in [(7, 1), (8, 1), (8, 2), (7, 2), (7, 3)]:
        assert isinstance(send(intake, seq, epoch), Epoch)
    assert trained(intake, most=2) == [(7, 1), (8, 1)]
    assert trained(intake, most=9) == [(8, 2), (7, 2), (7, 3)]
    assert trained(intake) == []
    assert_adds_up(intake)


def test_what_was_taken_is_trained_when_its_training_is_over(intake):
    for seq in (1, 2, 3):
        send(intake, seq)
    intake.take(2)
    assert progress(intake.epochs[0]) == (3, 0, 0)
    assert intake.counts.trained == 0
    assert not intake.has_news
    intake.trained()
    assert progress(intake.epochs[0]) == (3, 2, 0)
    assert_adds_up(intake)
    intake.trained()  # nothing is in training any more
    assert progress(intake.epochs[0]) == (3, 2, 0)


def test_what_is_in_training_is_in_no_checkpoint_and_is_asked_for_again(intake):
    send(intake, 1)
    intake.take(1)
    following = checkpoint(intake)
    assert progress(hello(following)) == (0, 0, 0)
    assert following.counts.received == following.counts.trained == 0


def test_a_batch_is_not_of_what_is_in_training_or_trained(intake):
    for seq in (1, 2, 3, 4):
        send(intake, seq)
    intake.take(2)
    assert not intake.has_batch(3, own_steps=100)
    intake.trained()
    assert not intake.has_batch(3, own_steps=100)
    send(intake, 5)
    assert intake.has_batch(3, own_steps=100)


def test_a_batch_is_never_of_nothing(intake):
    intake.bye(peer(7), Bye(7))
    assert not intake.has_batch(3, own_steps=100)
    assert not intake.has_batch(3, own_steps=0)


def test_a_segment_that_was_received_before_is_acknowledged_counted_and_not_trained_again(intake):
    send(intake, 1)
    assert progress(send(intake, 1)) == (1, 0, 0)
    assert trained(intake) == [(7, 1)]
    assert progress(send(intake, 1)) == (1, 1, 0)
    assert trained(intake) == []
    assert intake.counts.duplicate == 2
    assert_adds_up(intake)


@pytest.mark.parametrize("seq", [2, 3, 2**62])
def test_after_a_gap_the_actor_is_asked_to_say_hello(intake, seq):
    refused = send(intake, seq)
    assert isinstance(refused, Refused)
    assert not refused.fatal
    assert refused.reason == f"wanted segment 1, found {seq}: say Hello"
    assert trained(intake) == []


@pytest.mark.parametrize(
    "say",
    [
        lambda intake: intake.segment(b"a stranger", segment(7, 1)),
        lambda intake: intake.segment(peer(7), segment(8, 1)),
        lambda intake: intake.bye(b"a stranger", Bye(7)),
        lambda intake: intake.bye(peer(7), Bye(8)),
    ],
    ids=["a stranger's segment", "another epoch's", "a stranger's Bye", "another epoch's Bye"],
)
def test_whoever_is_not_known_is_asked_to_say_hello(intake, say):
    refused = say(intake)
    assert isinstance(refused, Refused)
    assert not refused.fatal
    assert trained(intake) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"fingerprint": "another"}, "another run"),
        ({"fingerprint": "x" * 1024}, "another run"),
        ({"agent": 2}, "I train agent 1, not agent 2"),
    ],
    ids=["another run", "a fingerprint far too long", "another agent"],
)
def test_whoever_belongs_elsewhere_is_refused_for_good(said, reason):
    intake = make_intake()
    refused = hello(intake, **said)
    assert isinstance(refused, Refused)
    assert refused.fatal
    assert reason in refused.reason
    assert intake.epochs == []


def test_a_repeated_hello_tells_how_far_the_epoch_has_come(intake):
    send(intake, 1)
    send(intake, 2)
    trained(intake, most=1)
    assert progress(hello(intake)) == (2, 1, 0)


class TestASecondConnection:
    """One actor is on it that was on another before."""

    @pytest.fixture
    def intake(self, intake):
        send(intake, 1)
        trained(intake)
        assert progress(intake.hello(b"second", Hello(1, 0, 7, FINGERPRINT))) == (1, 1, 0)
        return intake

    def test_is_where_it_is_answered(self, intake):
        assert intake.epochs[0].peer == b"second"
        assert isinstance(intake.segment(b"second", segment(7, 2)), Epoch)

    def test_makes_the_first_one_a_stranger_until_it_says_hello(self, intake):
        refused = send(intake, 2)
        assert isinstance(refused, Refused)
        assert not refused.fatal
        hello(intake)
        assert isinstance(send(intake, 2), Epoch)
        assert isinstance(intake.segment(b"second", segment(7, 3)), Refused)

    def test_may_be_another_actors_next(self, intake):
        intake.hello(b"second", Hello(1, 1, 8, FINGERPRINT))
        assert [epoch.peer for epoch in intake.epochs] == [None, b"second"]
        assert isinstance(intake.segment(b"second", segment(7, 2)), Refused)


class TestANewerActor:
    """Takes the seat of the one before it in its arena."""

    @pytest.fixture
    def intake(self):
        made = make_intake()
        hello(made, epoch=7)
        send(made, 1, epoch=7)
        hello(made, epoch=8)
        return made

    def test_begins_with_nothing(self, intake):
        assert progress(hello(intake, epoch=8)) == (0, 0, 0)

    @pytest.mark.parametrize("seq", [1, 2, 3], ids=["received", "next", "gap"])
    def test_late_segments_of_the_former_are_refused_for_good(self, intake, seq):
        refused = send(intake, seq, epoch=7)
        assert isinstance(refused, Refused)
        assert refused.fatal

    def test_the_former_may_not_come_back(self, intake):
        refused = hello(intake, epoch=7)
        assert isinstance(refused, Refused)
        assert refused.fatal

    def test_what_the_former_had_delivered_is_still_trained_and_made_durable(self, intake):
        send(intake, 1, epoch=8)
        assert trained(intake) == [(7, 1), (8, 1)]
        checkpoint(intake)
        assert [progress(epoch) for epoch in intake.epochs] == [(1, 1, 1), (1, 1, 1)]

    def test_the_former_stays_refused_by_the_next_learner(self, intake):
        trained(intake)
        refused = hello(checkpoint(intake), epoch=7)
        assert isinstance(refused, Refused)
        assert refused.fatal

    def test_other_arenas_keep_their_seats(self, intake):
        hello(intake, epoch=9, arena=1)
        assert isinstance(send(intake, 1, epoch=8), Epoch)
        assert isinstance(send(intake, 1, epoch=9), Epoch)


class TestDurability:
    """Nothing is durable but what a checkpoint on disk says was handled."""

    def test_neither_receiving_nor_training_makes_durable(self, intake):
        send(intake, 1)
        trained(intake)
        assert progress(send(intake, 2)) == (2, 1, 0)

    def test_a_checkpoint_makes_durable_what_was_trained_when_it_was_taken(self, intake):
        for seq in (1, 2, 3):
            send(intake, seq)
        trained(intake, most=2)
        marks = tuple(epoch.watermark() for epoch in intake.epochs)
        trained(intake)  # while the checkpoint is being written
        intake.made_durable(marks)
        assert progress(hello(intake)) == (3, 3, 2)
        assert intake.has_news

    def test_the_next_learner_asks_for_what_was_not_durable_again(self, intake):
        for seq in (1, 2, 3):
            send(intake, seq)
        trained(intake, most=2)
        following = checkpoint(intake)
        assert progress(hello(following)) == (2, 2, 2)
        assert_adds_up(following)
        assert isinstance(send(following, 3), Epoch)
        assert trained(following) == [(7, 3)]
        assert_adds_up(following)

    def test_the_next_learner_wants_hello_before_segments(self, intake):
        refused = send(checkpoint(intake), 1)
        assert isinstance(refused, Refused)
        assert not refused.fatal

    def test_there_is_news_only_between_training_and_the_checkpoint(self, intake):
        assert not intake.has_news
        send(intake, 1)
        assert not intake.has_news
        trained(intake)
        assert intake.has_news
        checkpoint(intake)
        assert not intake.has_news


class TestWhoNeedsACheckpointSoon:
    """An actor that leaves, or that soon may keep no more segments."""

    def test_one_who_said_bye_once_its_segments_are_trained(self, intake):
        send(intake, 1)
        intake.bye(peer(7), Bye(7))
        assert not intake.wants_checkpoint
        trained(intake)
        assert intake.wants_checkpoint
        checkpoint(intake)
        assert not intake.wants_checkpoint

    def test_one_of_whose_room_half_is_taken(self, intake):
        for seq in range(1, RETAINED // 2):
            send(intake, seq)
        trained(intake)
        assert not intake.wants_checkpoint
        send(intake, RETAINED // 2)
        assert intake.wants_checkpoint

    def test_not_one_for_whom_a_checkpoint_would_change_nothing(self, intake):
        for seq in range(1, RETAINED + 1):
            send(intake, seq)
        assert not intake.wants_checkpoint

    def test_not_one_who_is_gone(self, intake):
        send(intake, 1)
        intake.bye(peer(7), Bye(7))
        trained(intake)
        hello(intake, epoch=8)
        assert not intake.wants_checkpoint


class TestAtTheBudget:
    """The learner acknowledges, and trains no more."""

    def test_what_waits_and_what_still_comes_is_surplus(self, intake):
        for seq in (1, 2, 3):
            send(intake, seq)
        trained(intake, most=1)
        intake.finish()
        send(intake, 4)
        assert trained(intake) == []
        assert intake.counts.surplus == 3
        assert intake.ack(intake.epochs[0], newest=5).complete
        assert_adds_up(intake)

    def test_surplus_becomes_durable_too_so_that_nobody_waits_for_ever(self, intake):
        intake.finish()
        send(intake, 1)
        assert progress(intake.epochs[0]) == (1, 1, 0)
        checkpoint(intake)
        assert progress(intake.epochs[0]) == (1, 1, 1)

    def test_the_next_learner_tells_surplus_from_trained(self, intake):
        send(intake, 1)
        trained(intake)
        intake.finish()
        send(intake, 2)
        following = checkpoint(intake)
        assert following.epochs[0].watermark() == Watermark(0, 7, 2, 1, False)
        assert_adds_up(following)


def test_an_ack_tells_its_own_epoch_s_progress(intake):
    hello(intake, epoch=8, arena=1)
    send(intake, 1)
    send(intake, 2)
    send(intake, 1, epoch=8)
    trained(intake, most=1)
    checkpoint(intake)
    ack = intake.ack(intake.epochs[0], newest=5)
    found = (
        ack.epoch,
        ack.learner_incarnation,
        ack.received,
        ack.trained,
        ack.durable,
        ack.newest_version,
    )
    assert found == (7, 99, 2, 1, 1, 5)
    assert not ack.complete


def test_the_ledger_adds_up(intake):
    hello(intake, epoch=8, arena=1)
    for epoch, seq in [(7, 1), (8, 1), (7, 1), (7, 2), (8, 2)]:
        send(intake, seq, epoch)
    trained(intake, most=2)
    checkpoint(intake)
    intake.finish()
    account = intake.ledger()
    assert account["complete"]
    assert account["segments"] == {
        "received": 4,
        "trained": 2,
        "surplus": 2,
        "duplicate": 1,
        "given_up": 0,
    }
    keys = ("arena", "epoch", "received", "trained", "durable", "surplus", "given_up", "retired")
    assert account["epochs"] == [
        dict(zip(keys, row, strict=True))
        for row in [(0, 7, 2, 1, 1, 1, 0, False), (1, 8, 2, 1, 1, 1, 0, False)]
    ]
