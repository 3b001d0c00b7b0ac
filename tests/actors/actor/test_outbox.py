import numpy as np
import pytest

from ssd_actors.outbox import Outbox, SegmentsLostError
from ssd_wire.messages import Ack, Welcome

LANES, WINDOW, MAX_KEPT = 2, 2, 6


def welcome(received=0, trained=0, durable=0, learner=99, complete=False, window=WINDOW):
    return Welcome(
        epoch=7,
        learner_incarnation=learner,
        received=received,
        trained=trained,
        durable=durable,
        window=window,
        complete=complete,
        weights=np.zeros(0, np.uint8),
    )


def ack(received=0, trained=0, durable=0, learner=99, complete=False):
    return Ack(7, learner, received, trained, durable, 0, complete)


def add(outbox, number):
    for _ in range(number):
        outbox.add([b"segment"])


def send_all(outbox):
    """Send the unsent segments; their numbers."""
    sent = []
    for segment in outbox.unsent():
        outbox.mark_sent(segment)
        sent.append(segment.seq)
    return sent


@pytest.fixture
def outbox():
    """After a Welcome from learner 99, with no segments made."""
    outbox = Outbox(LANES, MAX_KEPT)
    outbox.on_welcome(welcome(), resend=False)
    return outbox


def test_there_is_no_room_before_a_welcome():
    assert not Outbox(LANES, MAX_KEPT).has_room()


def test_there_is_room_for_a_window_per_lane_of_untrained_segments(outbox):
    for _ in range(WINDOW * LANES):
        assert outbox.has_room()
        add(outbox, 1)
    assert not outbox.has_room()


def test_training_makes_room(outbox):
    add(outbox, 4)
    send_all(outbox)
    outbox.on_ack(ack(received=4))
    assert not outbox.has_room()
    outbox.on_ack(ack(received=4, trained=1))
    assert outbox.has_room()


def test_no_more_than_max_kept_are_kept_even_if_all_are_trained(outbox):
    for number in range(1, MAX_KEPT + 1):
        assert outbox.has_room()
        add(outbox, 1)
        send_all(outbox)
        outbox.on_ack(ack(received=number, trained=number))
    assert not outbox.has_room()
    outbox.on_ack(ack(received=MAX_KEPT, trained=MAX_KEPT, durable=1))
    assert outbox.has_room()


def test_segments_are_sent_in_order_and_once(outbox):
    add(outbox, 2)
    assert send_all(outbox) == [1, 2]
    add(outbox, 1)
    assert send_all(outbox) == [3]
    assert send_all(outbox) == []
    assert outbox.resent == 0


def test_a_segment_is_kept_until_it_is_durable(outbox):
    add(outbox, 3)
    send_all(outbox)
    outbox.on_ack(ack(received=3, trained=3, durable=2))
    outbox.on_welcome(welcome(received=2, trained=2, durable=2, learner=100), resend=False)
    assert send_all(outbox) == [3]


def test_a_new_learner_is_sent_everything_that_it_has_not_received(outbox):
    add(outbox, 4)
    send_all(outbox)
    outbox.on_ack(ack(received=4, trained=4, durable=1))
    outbox.on_welcome(welcome(received=1, trained=1, durable=1, learner=100), resend=False)
    assert (outbox.received, outbox.trained, outbox.durable) == (1, 1, 1)
    assert send_all(outbox) == [2, 3, 4]
    assert outbox.resent == 3


def test_a_learner_that_asked_for_hello_is_sent_everything_that_it_has_not_received(outbox):
    add(outbox, 4)
    send_all(outbox)
    outbox.on_welcome(welcome(received=2), resend=True)
    assert send_all(outbox) == [3, 4]
    assert outbox.resent == 2


def test_a_second_welcome_of_the_same_learner_makes_nothing_be_sent_again(outbox):
    add(outbox, 4)
    send_all(outbox)
    outbox.on_welcome(welcome(received=2), resend=False)
    assert send_all(outbox) == []


def test_the_segment_to_repeat_is_the_oldest_not_received(outbox):
    add(outbox, 3)
    assert outbox.oldest_unreceived() is None  # none was sent
    send_all(outbox)
    assert outbox.oldest_unreceived().seq == 1
    outbox.on_ack(ack(received=2))
    assert outbox.oldest_unreceived().seq == 3
    outbox.on_ack(ack(received=3))
    assert outbox.oldest_unreceived() is None


def test_a_repeat_is_counted_as_resent(outbox):
    add(outbox, 1)
    send_all(outbox)
    outbox.mark_sent(outbox.oldest_unreceived())
    assert outbox.resent == 1
    assert outbox.made == 1


@pytest.mark.parametrize("received", [1, 5], ids=["less than durable", "more than was made"])
def test_a_learner_that_lost_durable_segments_ends_the_epoch(outbox, received):
    add(outbox, 4)
    send_all(outbox)
    outbox.on_ack(ack(received=4, trained=3, durable=2))
    with pytest.raises(SegmentsLostError, match=f"has {received} segments"):
        outbox.on_welcome(welcome(received=received, learner=100), resend=False)


def test_acks_of_another_learner_are_ignored(outbox):
    add(outbox, 2)
    send_all(outbox)
    outbox.on_ack(ack(received=2, trained=2, durable=2, learner=98, complete=True))
    assert (outbox.received, outbox.trained, outbox.durable) == (0, 0, 0)
    assert not outbox.complete


def test_a_late_ack_lowers_nothing(outbox):
    add(outbox, 3)
    send_all(outbox)
    outbox.on_ack(ack(received=3, trained=2, durable=1))
    outbox.on_ack(ack(received=1))
    assert (outbox.received, outbox.trained, outbox.durable) == (3, 2, 1)


def test_all_are_durable_when_every_segment_made_is(outbox):
    assert outbox.all_durable
    add(outbox, 1)
    send_all(outbox)
    outbox.on_ack(ack(received=1, trained=1))
    assert not outbox.all_durable
    outbox.on_ack(ack(received=1, trained=1, durable=1))
    assert outbox.all_durable


def test_a_new_learner_is_complete_only_if_its_welcome_says_so(outbox):
    outbox.on_ack(ack(complete=True))
    assert outbox.complete
    outbox.on_welcome(welcome(learner=100), resend=False)  # its run was given a greater budget
    assert not outbox.complete
