"""The actor's end of the line to its learner."""

from dataclasses import replace

import numpy as np
import pytest

from ssd_actors.lane import Finished
from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_actors.segment_builder import SegmentBuilder
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Ack, Bye, Hello, Refused, Segment, Welcome
from ssd_wire.weights import encode_weights

EPOCH = 7
SAY_HELLO = Refused("I do not know this epoch: say Hello", fatal=False)


class ListNews:
    """Where weights are published: the newest frame, until it is taken."""

    def __init__(self):
        self.frame = None
        self.reopened = 0

    def reopen(self):
        self.reopened += 1

    def newest(self):
        frame, self.frame = self.frame, None
        return frame


class Desk:
    """A teacher, and all that it touches."""

    def __init__(self, person, line, clock):
        self.person = person
        self.line = line
        self.clock = clock
        self.news = ListNews()
        self.outbox = Outbox(lanes=1, retained=10)
        hello = Hello(1, 0, EPOCH, "this run")
        self.teacher = LearnerClient(
            line, self.news, hello, self.outbox, person.axes, person.tensors, clock.read
        )

    def welcome(self, version=0, learner=1, received=0, trained=0, durable=0, epoch=EPOCH):
        frame = encode_weights(self.person.weights(version, learner))
        progress = (received, trained, durable)
        weights = np.frombuffer(frame, np.uint8)
        return Welcome(epoch, learner, *progress, window=3, complete=False, weights=weights)

    def ack(self, received=0, trained=0, durable=0, newest=0, learner=1):
        return Ack(EPOCH, learner, received, trained, durable, newest, complete=False)

    def publish(self, version, learner=1):
        self.news.frame = encode_weights(self.person.weights(version, learner))

    def hear(self, *messages):
        """Have messages arrive and be tended to; what is sent because of them."""
        self.line.arrive(*messages)
        self.teacher.tend()
        return self.line.take()

    def wait(self, seconds=1.1):
        """Hear nothing for a while; what is sent because of it."""
        self.clock.now += seconds
        return self.hear()

    def push(self, number=1):
        """Finish segments; the numbers of those that are sent because of it."""
        for _ in range(number):
            state = np.zeros((5, self.person.segment.state), np.float32)
            draft = SegmentBuilder(self.person.segment, 1, 0, state)
            self.teacher.push(Finished(draft, np.zeros((5, 4), np.uint8)), lane=0)
        self.teacher.send()
        return numbers(self.line.take())


def numbers(messages):
    assert all(isinstance(message, Segment) for message in messages)
    return [message.seq for message in messages]


def kinds(messages):
    return [type(message) for message in messages]


@pytest.fixture
def stranger(make_person, make_line, clock):
    """Nobody has welcomed it."""
    return Desk(make_person(), make_line(), clock)


@pytest.fixture
def desk(stranger):
    """Welcomed by learner 1."""
    stranger.hear(stranger.welcome())
    return stranger


def test_it_says_hello_until_it_is_welcome(stranger):
    (hello,) = stranger.hear()
    assert (hello.agent, hello.arena, hello.epoch) == (1, 0, EPOCH)
    assert stranger.wait(0.9) == []
    assert kinds(stranger.wait(0.2)) == [Hello]
    assert kinds(stranger.wait()) == [Hello]
    assert stranger.hear(stranger.welcome()) == []
    assert stranger.wait() == []
    assert stranger.teacher.repeats == 3


def test_a_learner_that_is_not_there_yet_is_greeted_as_soon_as_it_is(stranger):
    stranger.line.blocked = True
    for _ in range(12):
        assert stranger.wait(0.11) == []
    stranger.line.blocked = False
    assert kinds(stranger.wait(0.11)) == [Hello]
    assert stranger.teacher.repeats == 1
    assert stranger.wait(0.9) == []


def test_there_is_no_room_before_welcome(stranger):
    assert not stranger.teacher.has_room()
    stranger.hear(stranger.welcome())
    assert stranger.teacher.has_room()


def test_another_epoch_s_welcome_is_not_its_own(stranger):
    stranger.hear(stranger.welcome(epoch=8))
    assert not stranger.teacher.has_room()


def test_welcome_brings_weights(desk):
    wanted = desk.person.weights(0).tensors
    found = desk.teacher.weights
    assert (found.learner_incarnation, found.version) == (1, 0)
    assert all((found.tensors[name] == wanted[name]).all() for name in wanted)


def test_a_welcome_with_another_network_s_weights_ends_it(stranger, make_person):
    other = Desk(make_person(influence="off"), stranger.line, stranger.clock)
    with pytest.raises(RefusedError, match="the learner's weights do not fit"):
        stranger.hear(other.welcome())


def test_segments_are_numbered_and_sent_as_they_are_finished(desk):
    assert desk.push(2) == [1, 2]
    assert desk.push() == [3]


def test_a_segment_carries_epoch_number_and_lane(desk):
    state = np.zeros((5, desk.person.segment.state), np.float32)
    draft = SegmentBuilder(
        desk.person.segment, learner_incarnation=1, weights_version=4, state=state
    )
    desk.teacher.push(Finished(draft, np.full((5, 4), 6, np.uint8)), lane=3)
    desk.teacher.send()
    (segment,) = desk.line.take()
    assert (segment.epoch, segment.seq, segment.lane, segment.weights_version) == (EPOCH, 1, 3, 4)
    assert (segment.actions[-1] == 6).all()


class TestHello:
    """Names the weights that it has, which need not come again."""

    def test_names_none_before_welcome(self, stranger):
        (hello,) = stranger.hear()
        assert (hello.learner_incarnation, hello.weights_version) == (0, 0)

    def test_names_the_newest_heard(self, desk):
        desk.publish(3)
        desk.push()
        desk.hear(desk.ack(received=1))
        (hello,) = desk.wait()
        assert (hello.learner_incarnation, hello.weights_version) == (1, 3)

    def test_is_answered_by_a_welcome_without_them(self, desk):
        desk.push(3)
        desk.hear(SAY_HELLO)
        assert numbers(desk.hear(replace(desk.welcome(received=1), weights=None))) == [2, 3]
        assert desk.teacher.weights.version == 0

    def test_is_said_again_on_a_welcome_without_weights_of_another_learner(self, desk):
        desk.push(1)
        late = replace(desk.welcome(learner=2, received=1), weights=None)
        (hello,) = desk.hear(late)
        assert (hello.learner_incarnation, hello.weights_version) == (1, 0)
        assert desk.outbox.received == 0

    def test_is_said_again_on_a_welcome_without_weights_by_who_has_none(self, stranger):
        stranger.hear()
        assert kinds(stranger.hear(replace(stranger.welcome(), weights=None))) == [Hello]
        assert not stranger.teacher.has_room()


class TestNews:
    """Weights, published to whoever listens."""

    def test_are_taken_when_newer(self, desk):
        desk.publish(3)
        assert desk.hear() == []
        assert desk.teacher.weights.version == 3

    def test_are_passed_over_when_older(self, desk):
        desk.hear(desk.welcome(version=5))
        desk.publish(3)
        assert desk.hear() == []
        assert desk.teacher.weights.version == 5

    @pytest.mark.parametrize("version", [0, 9])
    def test_of_another_learner_are_not_taken_but_it_is_said_hello_to(self, desk, version):
        desk.hear(desk.welcome(version=5))
        desk.publish(version, learner=2)
        assert kinds(desk.hear()) == [Hello]
        assert (desk.teacher.weights.learner_incarnation, desk.teacher.weights.version) == (1, 5)
        desk.hear(desk.welcome(version=version, learner=2))
        assert (desk.teacher.weights.learner_incarnation, desk.teacher.weights.version) == (
            2,
            version,
        )

    def test_before_welcome_are_not_taken(self, stranger):
        stranger.publish(3)
        stranger.hear()
        assert stranger.teacher.weights is None

    def test_that_do_not_fit_are_counted_and_passed_over(self, desk):
        desk.news.frame = b"nonsense"
        assert desk.hear() == []
        assert desk.teacher.protocol_errors == 1
        assert desk.teacher.weights.version == 0


class TestStaleWeights:
    """An Ack told of newer ones, and they were not heard."""

    def test_begin_no_segment_until_they_are_heard(self, desk):
        desk.hear(desk.ack(newest=4))
        assert not desk.teacher.has_room()
        desk.publish(3)
        desk.hear()
        assert not desk.teacher.has_room()
        desk.publish(4)
        desk.hear()
        assert desk.teacher.has_room()

    def test_are_none_when_the_news_came_before_the_ack(self, desk):
        desk.publish(4)
        desk.hear()
        assert desk.hear(desk.ack(newest=4)) == []
        assert desk.teacher.has_room()

    def test_are_asked_for_after_a_fifth_of_a_second_and_then_every_second(self, desk):
        desk.wait(5.0)
        assert desk.hear(desk.ack(newest=4)) == []
        assert desk.wait(0.15) == []
        assert desk.hear(desk.ack(newest=5)) == []  # more updates do not put it off
        assert kinds(desk.wait(0.1)) == [Hello]
        assert desk.hear(desk.ack(newest=6)) == []
        assert desk.wait(0.9) == []
        assert kinds(desk.wait(0.2)) == [Hello]
        assert desk.hear(desk.welcome(version=6)) == []
        assert desk.teacher.has_room()

    def test_are_asked_for_as_soon_as_the_line_takes_it(self, desk):
        desk.hear(desk.ack(newest=4))
        desk.line.blocked = True
        assert desk.wait(0.25) == []
        desk.line.blocked = False
        assert kinds(desk.wait(0.11)) == [Hello]

    def test_are_not_asked_for_when_the_news_comes_in_time(self, desk):
        desk.hear(desk.ack(newest=4))
        desk.publish(4)
        assert desk.hear() == []
        assert desk.wait() == []
        assert desk.wait() == []

    def test_do_not_come_back_with_a_welcome_or_an_ack_that_is_late(self, desk):
        desk.publish(4)
        desk.hear()
        desk.hear(desk.welcome(version=3), desk.ack(newest=4), desk.ack(newest=3))
        assert desk.teacher.weights.version == 4
        desk.hear(desk.ack(newest=5), desk.ack(newest=4))
        assert not desk.teacher.has_room()

    def test_are_not_those_of_a_recovered_learner_though_their_number_is_lower(self, desk):
        desk.hear(desk.ack(newest=9))
        desk.hear(desk.welcome(version=2, learner=2))
        assert desk.teacher.has_room()
        assert desk.teacher.weights.version == 2
        desk.hear(desk.ack(newest=3, learner=2))
        assert not desk.teacher.has_room()

    def test_are_not_so_by_the_word_of_a_learner_that_is_gone(self, desk):
        desk.hear(desk.welcome(version=1, learner=2))
        desk.hear(desk.ack(newest=1000, learner=1), desk.welcome(version=1, learner=2))
        assert desk.wait() == []
        assert desk.wait() == []


class TestSilence:
    """Who waits, asks again."""

    def test_makes_it_repeat_the_oldest_segment_not_received(self, desk):
        desk.push(3)
        desk.hear(desk.ack(received=1))
        assert numbers(desk.wait()) == [2]
        assert numbers(desk.wait()) == [2]
        assert desk.outbox.resent == 2

    def test_makes_it_say_hello_where_all_is_received_and_not_durable(self, desk):
        desk.push(1)
        desk.hear(desk.ack(received=1, trained=1))
        assert kinds(desk.wait()) == [Hello]

    def test_means_nothing_where_nothing_is_owed(self, desk):
        desk.push(1)
        desk.hear(desk.ack(received=1, trained=1, durable=1))
        assert desk.wait() == []

    def test_of_one_who_left_is_asked_about_by_saying_bye_again(self, desk):
        desk.push(1)
        desk.hear(desk.ack(received=1, trained=1))
        desk.teacher.say_bye()
        assert kinds(desk.line.take()) == [Bye]
        assert kinds(desk.wait()) == [Bye]

    def test_of_one_who_left_does_not_hide_that_a_segment_was_lost(self, desk):
        desk.push(2)
        desk.hear(desk.ack(received=1))
        desk.teacher.say_bye()
        desk.line.take()
        desk.hear(desk.ack(received=1))  # the answer to Bye
        assert numbers(desk.wait()) == [2]


class TestAConnectionOnWhichItAsksInVain:
    """May be dead without a sign of it."""

    @pytest.fixture
    def desk(self, desk):
        desk.push(3)
        desk.hear(desk.ack(received=1))
        for _ in range(5):
            assert numbers(desk.wait()) == [2]
        return desk

    def test_is_given_up_for_another_and_the_news_with_it(self, desk):
        assert not desk.line.reopened
        assert desk.wait() == []
        assert (desk.line.reopened, desk.news.reopened) == (1, 1)

    def test_is_followed_by_hello_and_by_what_the_learner_has_not(self, desk):
        desk.wait()
        assert desk.push() == []
        assert kinds(desk.wait(0.2)) == [Hello]
        assert numbers(desk.hear(desk.welcome(received=2))) == [3, 4]
        assert desk.wait(0.9) == []

    def test_is_kept_where_nothing_is_owed(self, desk):
        desk.hear(desk.ack(received=3, trained=3, durable=3))
        for _ in range(20):
            assert desk.wait() == []
        assert not desk.line.reopened

    def test_is_given_up_where_only_weights_are_owed(self, desk):
        desk.hear(desk.ack(received=3, trained=3, durable=3, newest=4))
        for _ in range(7):
            desk.wait()
        assert desk.line.reopened == 1

    def test_is_kept_if_the_learner_says_anything_late(self, desk):
        desk.hear(desk.ack(received=1))
        for _ in range(4):
            desk.wait()
        assert not desk.line.reopened

    def test_is_given_up_if_nothing_can_be_sent_either(self, desk):
        desk.line.blocked = True
        desk.wait()
        for _ in range(60):
            desk.wait(0.1)
        assert desk.line.reopened == 2


class TestALearnerThatDoesNotKnowIt:
    """Asks to say Hello again, and is sent all from where it stands."""

    def test_is_said_hello_to(self, desk):
        desk.push(3)
        assert kinds(desk.hear(SAY_HELLO)) == [Hello]
        assert numbers(desk.hear(desk.welcome(received=1))) == [2, 3]

    def test_after_many_refusals_is_sent_everything_once(self, desk):
        desk.push(3)
        assert kinds(desk.hear(SAY_HELLO, SAY_HELLO)) == [Hello]
        assert desk.push() == []
        assert kinds(desk.wait()) == [Hello]
        assert numbers(desk.hear(desk.welcome(received=1), desk.welcome(received=1))) == [2, 3, 4]

    def test_that_has_taken_another_s_place_is_sent_what_it_has_not(self, desk):
        desk.push(3)
        desk.hear(desk.ack(received=3, trained=2, durable=1))
        assert numbers(desk.hear(desk.welcome(learner=2, received=1, durable=1))) == [2, 3]

    def test_whose_welcome_was_lost_is_said_hello_to_again(self, desk):
        desk.push(1)
        assert kinds(desk.hear(desk.ack(received=1, learner=2))) == [Hello]
        assert desk.outbox.received == 0


def test_a_refusal_that_is_fatal_ends_it(desk):
    with pytest.raises(RefusedError, match="the learner refused this actor: another run"):
        desk.hear(Refused("another run", fatal=True))


def test_a_send_that_is_refused_is_tried_again_in_order(desk):
    desk.line.blocked = True
    assert desk.push(2) == []
    assert desk.hear() == []
    desk.line.blocked = False
    assert numbers(desk.hear()) == [1, 2]
    assert desk.outbox.resent == 0


def test_nothing_is_sent_before_welcome(stranger):
    stranger.hear()
    assert stranger.push(1) == []
    assert numbers(stranger.hear(stranger.welcome())) == [1]


def test_what_is_no_message_is_counted_and_passed_over(desk):
    desk.push(1)
    desk.hear([b"nonsense"], desk.ack(received=1))
    assert desk.teacher.protocol_errors == 1
    assert desk.outbox.received == 1
