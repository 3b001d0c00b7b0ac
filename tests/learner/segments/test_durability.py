"""When segments are durable, when a checkpoint is needed, and what is counted and acknowledged."""

import pytest
from tests.learner.segments.receiving import (
    RETAINED,
    assert_adds_up,
    checkpoint,
    hello,
    make_receiver,
    peer,
    progress,
    send,
    train,
)

from ssd_learner.segments.epochs import Epoch, Watermark
from ssd_wire.messages import Bye, Refused


@pytest.fixture
def receiver():
    """Epoch 7 of arena 0 has said Hello."""
    made = make_receiver()
    hello(made)
    return made


class TestDurability:
    """Segments are durable only once a checkpoint on disk says that they were consumed."""

    def test_received_or_trained_segments_are_not_durable(self, receiver):
        send(receiver, 1)
        train(receiver)
        assert progress(send(receiver, 2)) == (2, 1, 0)

    def test_a_checkpoint_makes_durable_the_segments_trained_before_it_was_begun(self, receiver):
        for seq in (1, 2, 3):
            send(receiver, seq)
        train(receiver, limit=2)
        watermarks = tuple(epoch.watermark() for epoch in receiver.epochs)
        train(receiver)  # while the checkpoint is being written
        receiver.mark_durable(watermarks)
        assert progress(hello(receiver)) == (3, 3, 2)
        assert receiver.has_uncommitted

    def test_the_next_learner_receives_the_segments_that_were_not_durable_again(self, receiver):
        for seq in (1, 2, 3):
            send(receiver, seq)
        train(receiver, limit=2)
        following = checkpoint(receiver)
        assert progress(hello(following)) == (2, 2, 2)
        assert_adds_up(following)
        assert isinstance(send(following, 3), Epoch)
        assert train(following) == [(7, 3)]
        assert_adds_up(following)

    def test_the_next_learner_requires_hello_before_segments(self, receiver):
        refused = send(checkpoint(receiver), 1)
        assert isinstance(refused, Refused)
        assert not refused.fatal

    def test_segments_are_uncommitted_between_training_and_the_checkpoint(self, receiver):
        assert not receiver.has_uncommitted
        send(receiver, 1)
        assert not receiver.has_uncommitted
        train(receiver)
        assert receiver.has_uncommitted
        checkpoint(receiver)
        assert not receiver.has_uncommitted


class TestACheckpointIsNeeded:
    """By an actor that is leaving, or whose storage of segments is half full."""

    def test_after_bye_once_the_actor_s_segments_are_trained(self, receiver):
        send(receiver, 1)
        receiver.bye(peer(7), Bye(7))
        assert not receiver.needs_checkpoint
        train(receiver)
        assert receiver.needs_checkpoint
        checkpoint(receiver)
        assert not receiver.needs_checkpoint

    def test_when_half_of_the_retained_segments_are_not_durable(self, receiver):
        for seq in range(1, RETAINED // 2):
            send(receiver, seq)
        train(receiver)
        assert not receiver.needs_checkpoint
        send(receiver, RETAINED // 2)
        assert receiver.needs_checkpoint

    def test_not_when_it_would_make_nothing_durable(self, receiver):
        for seq in range(1, RETAINED + 1):
            send(receiver, seq)
        assert not receiver.needs_checkpoint

    def test_not_by_a_retired_actor(self, receiver):
        for seq in range(1, RETAINED + 1):
            send(receiver, seq)
        train(receiver)
        hello(receiver, epoch=8)
        assert not receiver.needs_checkpoint

    def test_by_a_retired_actor_that_is_leaving_as_it_waits_for_nothing_else(self, receiver):
        send(receiver, 1)
        receiver.bye(peer(7), Bye(7))
        hello(receiver, epoch=8)
        train(receiver)
        assert receiver.needs_checkpoint


class TestAtTheBudget:
    """Segments are acknowledged without training on them."""

    def test_queued_and_later_segments_are_surplus(self, receiver):
        for seq in (1, 2, 3):
            send(receiver, seq)
        train(receiver, limit=1)
        receiver.mark_complete()
        send(receiver, 4)
        assert train(receiver) == []
        assert receiver.counts.surplus == 3
        assert receiver.ack(receiver.epochs[0], newest_version=5).complete
        assert_adds_up(receiver)

    def test_surplus_segments_become_durable_so_that_no_actor_waits_for_ever(self, receiver):
        receiver.mark_complete()
        send(receiver, 1)
        assert progress(receiver.epochs[0]) == (1, 1, 0)
        checkpoint(receiver)
        assert progress(receiver.epochs[0]) == (1, 1, 1)

    def test_the_next_learner_knows_surplus_from_trained_segments(self, receiver):
        send(receiver, 1)
        train(receiver)
        receiver.mark_complete()
        send(receiver, 2)
        following = checkpoint(receiver)
        assert following.epochs[0].watermark() == Watermark(0, 7, 2, 1, False)
        assert_adds_up(following)


def test_an_ack_reports_the_progress_of_its_own_epoch(receiver):
    hello(receiver, epoch=8, arena=1)
    send(receiver, 1)
    send(receiver, 2)
    send(receiver, 1, epoch=8)
    train(receiver, limit=1)
    checkpoint(receiver)
    ack = receiver.ack(receiver.epochs[0], newest_version=5)
    assert (ack.epoch, ack.learner_incarnation, ack.newest_version) == (7, 99, 5)
    assert (ack.received, ack.trained, ack.durable) == (2, 1, 1)
    assert not ack.complete


def test_the_ledger_adds_up(receiver):
    hello(receiver, epoch=8, arena=1)
    for epoch, seq in [(7, 1), (8, 1), (7, 1), (7, 2), (8, 2)]:
        send(receiver, seq, epoch)
    train(receiver, limit=2)
    checkpoint(receiver)
    receiver.mark_complete()
    ledger = receiver.ledger()
    assert ledger["complete"]
    assert ledger["segments"] == {
        "received": 4,
        "trained": 2,
        "surplus": 2,
        "duplicate": 1,
        "given_up": 0,
    }
    keys = ("arena", "epoch", "received", "trained", "durable", "surplus", "given_up", "retired")
    assert ledger["epochs"] == [
        dict(zip(keys, row, strict=True))
        for row in [(0, 7, 2, 1, 1, 1, 0, False), (1, 8, 2, 1, 1, 1, 0, False)]
    ]
