"""Whatever peers send, a receiver knows a limited number of epochs and keeps so many segments."""

import json

import pytest
from tests.learner.segments.receiving import (
    RETAINED,
    assert_adds_up,
    checkpoint,
    hello,
    make_receiver,
    progress,
    send,
    train,
)

from ssd_learner.segments import receiver as receiver_module
from ssd_learner.segments.epochs import Epoch
from ssd_wire.messages import MAX_LANES, Refused

PER_ARENA = 2 * (RETAINED + 2 * MAX_LANES)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    """Small limits: 4 arenas, and 5 retired epochs."""
    monkeypatch.setattr(receiver_module, "MAX_ARENAS", 4)
    monkeypatch.setattr(receiver_module, "MAX_RETIRED", 5)


def numbers(receiver):
    return [epoch.number for epoch in receiver.epochs]


def test_epochs_that_only_say_hello_are_forgotten_oldest_first():
    receiver = make_receiver()
    for epoch in range(1000):
        hello(receiver, epoch)
        assert len(receiver.epochs) <= 1 + 2 * 5
    assert numbers(receiver) == list(range(1000 - len(receiver.epochs), 1000))
    assert len(json.dumps(checkpoint(receiver).ledger())) < 4000


def test_no_flood_of_epochs_makes_a_receiver_forget_one_that_sent_segments():
    receiver = make_receiver()
    hello(receiver, 7)
    send(receiver, 1)
    train(receiver)
    checkpoint(receiver)
    for epoch in range(100, 1100):
        hello(receiver, epoch)
    assert 7 in numbers(receiver)
    assert hello(receiver, 7).replaced


def test_the_segments_of_forgotten_epochs_stay_in_the_totals():
    receiver = make_receiver()
    for epoch in range(100):
        hello(receiver, epoch)
        send(receiver, 1, epoch)
        train(receiver)
        receiver = checkpoint(receiver)
    ledger = receiver.ledger()
    forgotten = ledger["forgotten"]
    assert len(ledger["epochs"]) <= 1 + 2 * 5
    assert forgotten["epochs"] == 100 - len(ledger["epochs"])
    assert sum(one["trained"] for one in (forgotten, *ledger["epochs"])) == 100
    assert ledger["segments"]["trained"] == 100


def test_an_epoch_is_not_forgotten_before_its_segments_are_durable():
    receiver = make_receiver()
    hello(receiver, 0)
    send(receiver, 1, 0)
    for epoch in range(1, 100):
        hello(receiver, epoch)
    assert 0 in numbers(receiver)
    assert train(receiver) == [(0, 1)]
    assert progress(receiver.epochs[0]) == (1, 1, 0)
    assert_adds_up(receiver)


def test_nothing_is_kept_of_a_forgotten_epoch_s_connection():
    receiver = make_receiver()
    for epoch in range(100):
        hello(receiver, epoch)
    assert send(receiver, 1, epoch=0).reason.startswith("unknown epoch")
    assert len(receiver._by_peer) == len(receiver.epochs)


def test_an_arena_that_sent_nothing_makes_room_for_a_new_one():
    receiver = make_receiver()
    hello(receiver, epoch=50, arena=50)
    send(receiver, 1, epoch=50)
    for arena in range(100, 200):
        hello(receiver, epoch=arena, arena=arena)
    assert [epoch.arena for epoch in receiver.epochs] == [50, 197, 198, 199]


def test_one_arena_more_than_can_be_known_is_refused_with_the_reason():
    receiver = make_receiver()
    for arena in range(4):
        hello(receiver, epoch=arena, arena=arena)
        send(receiver, 1, epoch=arena)
    refused = hello(receiver, epoch=9, arena=9)
    assert (refused.fatal, refused.reason) == (True, "actors of 4 arenas have sent segments")
    assert isinstance(hello(receiver, epoch=10, arena=0), Epoch)  # an actor of a known arena


def test_more_segments_of_an_arena_than_two_actors_keep_are_refused_until_some_are_trained():
    receiver = make_receiver()
    hello(receiver, 7)
    for seq in range(1, PER_ARENA + 1):
        assert not receiver.must_train(own_steps_left=10**9)
        assert isinstance(send(receiver, seq), Epoch)
    hello(receiver, 8)
    refused = send(receiver, 1, epoch=8)
    assert isinstance(refused, Refused)
    assert not refused.fatal
    assert receiver.must_train(own_steps_left=10**9)  # so that it ends
    train(receiver, limit=1)
    assert isinstance(send(receiver, 1, epoch=8), Epoch)
    assert_adds_up(receiver)


def test_an_arena_whose_segments_wait_does_not_keep_others_from_sending():
    receiver = make_receiver()
    hello(receiver, 7)
    for seq in range(1, PER_ARENA + 2):
        send(receiver, seq)
    hello(receiver, epoch=8, arena=1)
    assert isinstance(send(receiver, 1, epoch=8), Epoch)
