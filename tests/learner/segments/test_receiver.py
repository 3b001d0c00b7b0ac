"""Which actors and segments are accepted, and in which order segments are trained on."""

import pytest
from tests.learner.segments.receiving import (
    FINGERPRINT,
    assert_adds_up,
    checkpoint,
    hello,
    make_receiver,
    peer,
    progress,
    segment,
    send,
    train,
)

from ssd_learner.segments.epochs import Epoch
from ssd_wire.messages import Bye, Hello, Refused


@pytest.fixture
def receiver():
    """Epoch 7 of arena 0 has said Hello."""
    made = make_receiver()
    hello(made)
    return made


def test_a_new_epoch_starts_at_0():
    assert progress(hello(make_receiver())) == (0, 0, 0)


def test_segments_are_trained_on_in_order_of_arrival(receiver):
    hello(receiver, epoch=8, arena=1)
    for epoch, seq in [(7, 1), (8, 1), (8, 2), (7, 2), (7, 3)]:
        assert isinstance(send(receiver, seq, epoch), Epoch)
    assert train(receiver, limit=2) == [(7, 1), (8, 1)]
    assert train(receiver, limit=9) == [(8, 2), (7, 2), (7, 3)]
    assert train(receiver) == []
    assert_adds_up(receiver)


def test_segments_count_as_trained_when_their_training_ends(receiver):
    for seq in (1, 2, 3):
        send(receiver, seq)
    receiver.take(2)
    assert progress(receiver.epochs[0]) == (3, 0, 0)
    assert receiver.counts.trained == 0
    assert not receiver.has_uncommitted
    receiver.mark_trained()
    assert progress(receiver.epochs[0]) == (3, 2, 0)
    assert_adds_up(receiver)
    receiver.mark_trained()  # nothing is in training now
    assert progress(receiver.epochs[0]) == (3, 2, 0)


def test_segments_in_training_are_in_no_checkpoint_and_will_be_resent(receiver):
    send(receiver, 1)
    receiver.take(1)
    following = checkpoint(receiver)
    assert progress(hello(following)) == (0, 0, 0)
    assert following.counts.received == following.counts.trained == 0


def test_only_queued_segments_count_towards_a_share(receiver):
    for seq in (1, 2, 3, 4):
        send(receiver, seq)
    receiver.take(2)
    assert not receiver.has_share(3)
    receiver.mark_trained()
    assert not receiver.has_share(3)
    send(receiver, 5)
    assert receiver.has_share(3)


def test_without_segments_there_is_nothing_to_train_on(receiver):
    receiver.bye(peer(7), Bye(7))
    assert not receiver.has_share(3)
    assert not receiver.must_train(own_steps_left=100)
    assert not receiver.must_train(own_steps_left=0)


def test_a_duplicate_is_acknowledged_and_counted_and_not_trained_on_again(receiver):
    send(receiver, 1)
    assert progress(send(receiver, 1)) == (1, 0, 0)
    assert train(receiver) == [(7, 1)]
    assert progress(send(receiver, 1)) == (1, 1, 0)
    assert train(receiver) == []
    assert receiver.counts.duplicate == 2
    assert_adds_up(receiver)


def assert_asked_for_hello(refused):
    assert isinstance(refused, Refused)
    assert not refused.fatal


def assert_refused_for_good(refused):
    assert isinstance(refused, Refused)
    assert refused.fatal


@pytest.mark.parametrize("seq", [2, 3, 2**62])
def test_a_gap_in_the_numbers_is_refused_with_a_request_for_hello(receiver, seq):
    refused = send(receiver, seq)
    assert_asked_for_hello(refused)
    assert refused.reason == f"wanted segment 1, found {seq}: say Hello"
    assert train(receiver) == []


@pytest.mark.parametrize(
    "send_message",
    [
        lambda receiver: receiver.segment(b"unknown", segment(7, 1)),
        lambda receiver: receiver.segment(peer(7), segment(8, 1)),
        lambda receiver: receiver.bye(b"unknown", Bye(7)),
        lambda receiver: receiver.bye(peer(7), Bye(8)),
    ],
    ids=[
        "segment, unknown connection",
        "segment, another epoch",
        "Bye, unknown connection",
        "Bye, another epoch",
    ],
)
def test_an_unknown_connection_or_epoch_is_refused_with_a_request_for_hello(receiver, send_message):
    assert_asked_for_hello(send_message(receiver))
    assert train(receiver) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"fingerprint": "another"}, "another run"),
        ({"fingerprint": "x" * 1024}, "another run"),
        ({"agent": 2}, "wanted agent 1, found 2"),
    ],
    ids=["another run", "a very long fingerprint", "another agent"],
)
def test_an_actor_of_another_run_or_agent_is_refused_for_good(fields, reason):
    receiver = make_receiver()
    refused = hello(receiver, **fields)
    assert_refused_for_good(refused)
    assert reason in refused.reason
    assert receiver.epochs == []


def test_a_repeated_hello_is_answered_with_the_epoch_s_progress(receiver):
    send(receiver, 1)
    send(receiver, 2)
    train(receiver, limit=1)
    assert progress(hello(receiver)) == (2, 1, 0)


class TestASecondConnection:
    """The actor of an epoch says Hello over a second connection."""

    @pytest.fixture
    def receiver(self, receiver):
        send(receiver, 1)
        train(receiver)
        assert progress(receiver.hello(b"second", Hello(1, 0, 7, FINGERPRINT))) == (1, 1, 0)
        return receiver

    def test_it_replaces_the_first(self, receiver):
        assert receiver.epochs[0].peer == b"second"
        assert isinstance(receiver.segment(b"second", segment(7, 2)), Epoch)

    def test_the_first_is_unknown_until_it_says_hello(self, receiver):
        assert_asked_for_hello(send(receiver, 2))
        hello(receiver)
        assert isinstance(send(receiver, 2), Epoch)
        assert isinstance(receiver.segment(b"second", segment(7, 3)), Refused)

    def test_another_actor_may_take_it_over(self, receiver):
        receiver.hello(b"second", Hello(1, 1, 8, FINGERPRINT))
        assert [epoch.peer for epoch in receiver.epochs] == [None, b"second"]
        assert isinstance(receiver.segment(b"second", segment(7, 2)), Refused)


class TestANewerActor:
    """Takes over the seat of the previous one in its arena."""

    @pytest.fixture
    def receiver(self):
        made = make_receiver()
        hello(made, epoch=7)
        send(made, 1, epoch=7)
        hello(made, epoch=8)
        return made

    def test_starts_at_0(self, receiver):
        assert progress(hello(receiver, epoch=8)) == (0, 0, 0)

    @pytest.mark.parametrize("seq", [1, 2, 3], ids=["received", "next", "gap"])
    def test_late_segments_of_the_previous_one_are_refused_for_good(self, receiver, seq):
        assert_refused_for_good(send(receiver, seq, epoch=7))

    def test_the_previous_one_cannot_return(self, receiver):
        assert_refused_for_good(hello(receiver, epoch=7))

    def test_received_segments_of_the_previous_one_are_trained_on_and_made_durable(self, receiver):
        send(receiver, 1, epoch=8)
        assert train(receiver) == [(7, 1), (8, 1)]
        checkpoint(receiver)
        assert [progress(epoch) for epoch in receiver.epochs] == [(1, 1, 1), (1, 1, 1)]

    def test_the_next_learner_refuses_the_previous_one_too(self, receiver):
        train(receiver)
        assert_refused_for_good(hello(checkpoint(receiver), epoch=7))

    def test_other_arenas_are_not_affected(self, receiver):
        hello(receiver, epoch=9, arena=1)
        assert isinstance(send(receiver, 1, epoch=8), Epoch)
        assert isinstance(send(receiver, 1, epoch=9), Epoch)
