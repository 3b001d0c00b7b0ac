import numpy as np
import pytest

from ssd_actors.outbox import ForgottenError, Outbox
from ssd_wire.messages import Ack, Welcome

LANES, WINDOW, RETAINED = 2, 2, 6


def welcome(received=0, trained=0, durable=0, learner=99, complete=False):
    return Welcome(
        epoch=7,
        learner_incarnation=learner,
        received=received,
        trained=trained,
        durable=durable,
        window=WINDOW,
        complete=complete,
        weights=np.zeros(0, np.uint8),
    )


def ack(received=0, trained=0, durable=0, learner=99, complete=False):
    return Ack(7, learner, received, trained, durable, 0, complete)


def make(outbox, number):
    for _ in range(number):
        outbox.add([b"segment"])


def send_all(outbox):
    """Send what is unsent; the numbers that went out."""
    sent = []
    for kept in outbox.unsent():
        outbox.sent(kept)
        sent.append(kept.seq)
    return sent


@pytest.fixture
def outbox():
    """Welcomed by learner 99, with nothing made."""
    made = Outbox(LANES, RETAINED)
    made.welcomed(welcome(), from_where_it_stands=False)
    return made


def test_there_is_no_room_before_welcome():
    assert not Outbox(LANES, RETAINED).has_room()


def test_there_is_room_for_a_window_per_lane_of_untrained_segments(outbox):
    for _ in range(WINDOW * LANES):
        assert outbox.has_room()
        make(outbox, 1)
    assert not outbox.has_room()


def test_training_makes_room(outbox):
    make(outbox, 4)
    send_all(outbox)
    outbox.acknowledged(ack(received=4))
    assert not outbox.has_room()
    outbox.acknowledged(ack(received=4, trained=1))
    assert outbox.has_room()


def test_no_more_is_kept_than_agreed_even_when_all_is_trained(outbox):
    for number in range(1, RETAINED + 1):
        assert outbox.has_room()
        make(outbox, 1)
        send_all(outbox)
        outbox.acknowledged(ack(received=number, trained=number))
    assert not outbox.has_room()
    outbox.acknowledged(ack(received=RETAINED, trained=RETAINED, durable=1))
    assert outbox.has_room()


def test_segments_are_sent_in_order_and_once(outbox):
    make(outbox, 2)
    assert send_all(outbox) == [1, 2]
    make(outbox, 1)
    assert send_all(outbox) == [3]
    assert send_all(outbox) == []
    assert outbox.resent == 0


def test_a_segment_is_kept_until_it_is_durable(outbox):
    make(outbox, 3)
    send_all(outbox)
    outbox.acknowledged(ack(received=3, trained=3, durable=2))
    outbox.welcomed(welcome(received=2, trained=2, durable=2, learner=100), False)
    assert send_all(outbox) == [3]


def test_a_new_learner_is_sent_all_that_it_has_not_received(outbox):
    make(outbox, 4)
    send_all(outbox)
    outbox.acknowledged(ack(received=4, trained=4, durable=1))
    outbox.welcomed(welcome(received=1, trained=1, durable=1, learner=100), False)
    assert (outbox.received, outbox.trained, outbox.durable) == (1, 1, 1)
    assert send_all(outbox) == [2, 3, 4]
    assert outbox.resent == 3


def test_a_confused_learner_is_sent_all_from_where_it_stands(outbox):
    make(outbox, 4)
    send_all(outbox)
    outbox.welcomed(welcome(received=2), from_where_it_stands=True)
    assert send_all(outbox) == [3, 4]
    assert outbox.resent == 2


def test_the_same_learner_s_second_welcome_sends_nothing_again(outbox):
    make(outbox, 4)
    send_all(outbox)
    outbox.welcomed(welcome(received=2), from_where_it_stands=False)
    assert send_all(outbox) == []


def test_what_is_repeated_after_silence_is_the_oldest_not_received(outbox):
    make(outbox, 3)
    assert outbox.oldest_unreceived() is None  # nothing was sent
    send_all(outbox)
    assert outbox.oldest_unreceived().seq == 1
    outbox.acknowledged(ack(received=2))
    assert outbox.oldest_unreceived().seq == 3
    outbox.acknowledged(ack(received=3))
    assert outbox.oldest_unreceived() is None


def test_a_repeat_is_counted_as_resent(outbox):
    make(outbox, 1)
    send_all(outbox)
    outbox.sent(outbox.oldest_unreceived())
    assert outbox.resent == 1
    assert outbox.made == 1


@pytest.mark.parametrize("received", [1, 5], ids=["less than durable", "more than was made"])
def test_a_learner_that_forgot_what_it_called_durable_ends_the_epoch(outbox, received):
    make(outbox, 4)
    send_all(outbox)
    outbox.acknowledged(ack(received=4, trained=3, durable=2))
    with pytest.raises(ForgottenError, match=f"has {received} segments"):
        outbox.welcomed(welcome(received=received, learner=100), False)


def test_acks_of_another_learner_are_not_heard(outbox):
    make(outbox, 2)
    send_all(outbox)
    outbox.acknowledged(ack(received=2, trained=2, durable=2, learner=98, complete=True))
    assert (outbox.received, outbox.trained, outbox.durable) == (0, 0, 0)
    assert not outbox.complete


def test_an_ack_that_was_overtaken_takes_nothing_back(outbox):
    make(outbox, 3)
    send_all(outbox)
    outbox.acknowledged(ack(received=3, trained=2, durable=1))
    outbox.acknowledged(ack(received=1))
    assert (outbox.received, outbox.trained, outbox.durable) == (3, 2, 1)


def test_it_is_settled_when_all_that_was_made_is_durable(outbox):
    assert outbox.is_settled
    make(outbox, 1)
    send_all(outbox)
    outbox.acknowledged(ack(received=1, trained=1))
    assert not outbox.is_settled
    outbox.acknowledged(ack(received=1, trained=1, durable=1))
    assert outbox.is_settled


def test_a_new_learner_is_complete_only_if_it_says_so(outbox):
    outbox.acknowledged(ack(complete=True))
    assert outbox.complete
    outbox.welcomed(welcome(learner=100), False)  # of a run that was given a greater budget
    assert not outbox.complete
