"""What an actor repeats when its learner is silent, and when it opens a new connection."""

import pytest
from tests.actors.actor.fakes.learner_side import SAY_HELLO, kinds, numbers

from ssd_wire.messages import Bye, Hello


class TestASecondOfSilence:
    """Makes an actor repeat what has had no answer."""

    def test_repeats_the_oldest_segment_not_received(self, welcomed):
        welcomed.push(3)
        welcomed.receive(welcomed.ack(received=1))
        assert numbers(welcomed.wait()) == [2]
        assert numbers(welcomed.wait()) == [2]
        assert welcomed.outbox.resent == 2

    def test_sends_hello_if_all_segments_are_received_and_not_all_durable(self, welcomed):
        welcomed.push(1)
        welcomed.receive(welcomed.ack(received=1, trained=1))
        assert kinds(welcomed.wait()) == [Hello]

    def test_repeats_nothing_if_all_segments_are_durable(self, welcomed):
        welcomed.push(1)
        welcomed.receive(welcomed.ack(received=1, trained=1, durable=1))
        assert welcomed.wait() == []

    def test_repeats_bye_when_draining(self, welcomed):
        welcomed.push(1)
        welcomed.receive(welcomed.ack(received=1, trained=1))
        welcomed.client.send_bye()
        assert kinds(welcomed.connection.take_sent()) == [Bye]
        assert kinds(welcomed.wait()) == [Bye]

    def test_repeats_a_lost_segment_before_bye_when_draining(self, welcomed):
        welcomed.push(2)
        welcomed.receive(welcomed.ack(received=1))
        welcomed.client.send_bye()
        welcomed.connection.take_sent()
        welcomed.receive(welcomed.ack(received=1))  # the answer to Bye
        assert numbers(welcomed.wait()) == [2]


class TestAcksThatAreNoAnswer:
    """Such as those about new weights, which other arenas' segments bring: they delay no retry."""

    def receive_them(self, welcomed, received=0):
        """Acks for more than a second; what is sent meanwhile, but for requests of weights."""
        sent = []
        for version in range(1, 5):
            welcomed.publish(version)
            welcomed.clock.now += 0.3
            ack = welcomed.ack(received=received, trained=received, newest=version)
            sent += welcomed.receive(ack)
        assert not welcomed.connection.reopened
        return sent

    def test_a_lost_segment_is_repeated(self, welcomed):
        welcomed.push(2)
        assert numbers(self.receive_them(welcomed)) == [1]

    def test_a_lost_hello_is_repeated(self, welcomed):
        welcomed.push(2)
        assert kinds(welcomed.receive(SAY_HELLO)) == [Hello]
        assert kinds(self.receive_them(welcomed)) == [Hello]

    def test_a_lost_bye_is_repeated(self, welcomed):
        welcomed.push(1)
        welcomed.receive(welcomed.ack(received=1))
        welcomed.client.send_bye()
        welcomed.connection.take_sent()
        assert kinds(self.receive_them(welcomed, received=1)) == [Bye]

    def test_they_keep_the_connection(self, welcomed):
        welcomed.push(2)
        for _ in range(10):
            self.receive_them(welcomed)


class TestAConnectionWithoutAnswers:
    """May be dead without any sign of it."""

    @pytest.fixture
    def silent(self, welcomed):
        """Its oldest segment not received was repeated five times without an answer."""
        welcomed.push(3)
        welcomed.receive(welcomed.ack(received=1))
        for _ in range(5):
            assert numbers(welcomed.wait()) == [2]
        return welcomed

    def test_is_replaced_and_so_is_the_subscription(self, silent):
        assert not silent.connection.reopened
        assert silent.wait() == []
        assert (silent.connection.reopened, silent.subscription.reopened) == (1, 1)

    def test_is_replaced_by_one_that_sends_hello_and_what_the_learner_lacks(self, silent):
        silent.wait()
        assert silent.push() == []
        assert kinds(silent.wait(0.2)) == [Hello]
        assert numbers(silent.receive(silent.welcome(received=2))) == [3, 4]
        assert silent.wait(0.9) == []

    def test_is_kept_if_nothing_needs_an_answer(self, silent):
        silent.receive(silent.ack(received=3, trained=3, durable=3))
        for _ in range(20):
            assert silent.wait() == []
        assert not silent.connection.reopened

    def test_is_replaced_if_only_weights_are_missing(self, silent):
        silent.receive(silent.ack(received=3, trained=3, durable=3, newest=4))
        for _ in range(7):
            silent.wait()
        assert silent.connection.reopened == 1

    def test_is_kept_if_the_learner_answers_late(self, silent):
        silent.receive(silent.ack(received=1))
        for _ in range(4):
            silent.wait()
        assert not silent.connection.reopened

    def test_is_replaced_if_nothing_can_be_sent_either(self, silent):
        silent.connection.is_blocked = True
        silent.wait()
        for _ in range(60):
            silent.wait(0.1)
        assert silent.connection.reopened == 2
