"""Which weights an actor takes from its learner, and when it requests them."""

import pytest
from tests.actors.actor.fakes.learner_side import kinds

from ssd_wire.messages import Hello


class TestPublishedWeights:
    """Are sent to all subscribers."""

    def test_are_taken_if_newer(self, welcomed):
        welcomed.publish(3)
        assert welcomed.receive() == []
        assert welcomed.client.weights.version == 3

    def test_are_ignored_if_older(self, welcomed):
        welcomed.receive(welcomed.welcome(version=5))
        welcomed.publish(3)
        assert welcomed.receive() == []
        assert welcomed.client.weights.version == 5

    @pytest.mark.parametrize("version", [0, 9])
    def test_from_another_learner_are_answered_by_hello_and_not_taken(self, welcomed, version):
        def newest():
            weights = welcomed.client.weights
            return weights.learner_incarnation, weights.version

        welcomed.receive(welcomed.welcome(version=5))
        welcomed.publish(version, learner=2)
        assert kinds(welcomed.receive()) == [Hello]
        assert newest() == (1, 5)
        welcomed.receive(welcomed.welcome(version=version, learner=2))
        assert newest() == (2, version)

    def test_are_not_taken_before_a_welcome(self, unwelcome):
        unwelcome.publish(3)
        unwelcome.receive()
        assert unwelcome.client.weights is None

    def test_are_counted_and_ignored_if_they_do_not_fit(self, welcomed):
        welcomed.subscription.frame = b"nonsense"
        assert welcomed.receive() == []
        assert welcomed.client.protocol_errors == 1
        assert welcomed.client.weights.version == 0


class TestStaleWeights:
    """An Ack announced newer ones that have not arrived."""

    def test_begin_no_segment(self, welcomed):
        welcomed.receive(welcomed.ack(newest=4))
        assert not welcomed.client.has_room()
        welcomed.publish(3)
        welcomed.receive()
        assert not welcomed.client.has_room()
        welcomed.publish(4)
        welcomed.receive()
        assert welcomed.client.has_room()

    def test_are_none_if_the_newer_ones_arrived_before_the_ack(self, welcomed):
        welcomed.publish(4)
        welcomed.receive()
        assert welcomed.receive(welcomed.ack(newest=4)) == []
        assert welcomed.client.has_room()

    def test_make_it_say_hello_after_a_fifth_of_a_second_and_then_every_second(self, welcomed):
        welcomed.wait(5.0)
        assert welcomed.receive(welcomed.ack(newest=4)) == []
        assert welcomed.wait(0.15) == []
        assert welcomed.receive(welcomed.ack(newest=5)) == []  # more updates do not delay it
        assert kinds(welcomed.wait(0.1)) == [Hello]
        assert welcomed.receive(welcomed.ack(newest=6)) == []
        assert welcomed.wait(0.9) == []
        assert kinds(welcomed.wait(0.2)) == [Hello]
        assert welcomed.receive(welcomed.welcome(version=6)) == []
        assert welcomed.client.has_room()

    def test_make_it_say_hello_as_soon_as_the_connection_takes_it(self, welcomed):
        welcomed.receive(welcomed.ack(newest=4))
        welcomed.connection.is_blocked = True
        assert welcomed.wait(0.25) == []
        welcomed.connection.is_blocked = False
        assert kinds(welcomed.wait(0.11)) == [Hello]

    def test_are_not_reported_if_the_newer_ones_arrive_in_time(self, welcomed):
        welcomed.receive(welcomed.ack(newest=4))
        welcomed.publish(4)
        assert welcomed.receive() == []
        assert welcomed.wait() == []
        assert welcomed.wait() == []

    def test_do_not_come_back_with_a_late_welcome_or_ack(self, welcomed):
        welcomed.publish(4)
        welcomed.receive()
        late = welcomed.welcome(version=3), welcomed.ack(newest=4), welcomed.ack(newest=3)
        welcomed.receive(*late)
        assert welcomed.client.weights.version == 4
        welcomed.receive(welcomed.ack(newest=5), welcomed.ack(newest=4))
        assert not welcomed.client.has_room()

    def test_are_not_those_of_a_restarted_learner_with_a_lower_version(self, welcomed):
        welcomed.receive(welcomed.ack(newest=9))
        welcomed.receive(welcomed.welcome(version=2, learner=2))
        assert welcomed.client.has_room()
        assert welcomed.client.weights.version == 2
        welcomed.receive(welcomed.ack(newest=3, learner=2))
        assert not welcomed.client.has_room()

    def test_are_not_announced_by_an_ack_of_an_earlier_learner(self, welcomed):
        new = welcomed.welcome(version=1, learner=2)
        welcomed.receive(new)
        welcomed.receive(welcomed.ack(newest=1000, learner=1), new)
        assert welcomed.wait() == []
        assert welcomed.wait() == []
