"""How an actor introduces itself to its learner and sends segments."""

from dataclasses import replace

import numpy as np
import pytest
from tests.actors.actor.fakes.agent_setup import AgentSetup
from tests.actors.actor.fakes.learner_side import EPOCH, SAY_HELLO, ClientUnderTest, kinds, numbers

from ssd_wire.errors import RefusedError
from ssd_wire.messages import Hello, Refused


def test_hello_is_repeated_until_there_is_a_welcome(unwelcome):
    (hello,) = unwelcome.receive()
    assert (hello.agent, hello.arena, hello.epoch) == (1, 0, EPOCH)
    assert unwelcome.wait(0.9) == []
    assert kinds(unwelcome.wait(0.2)) == [Hello]
    assert kinds(unwelcome.wait()) == [Hello]
    assert unwelcome.receive(unwelcome.welcome()) == []
    assert unwelcome.wait() == []
    assert unwelcome.client.retries == 3


def test_hello_is_sent_as_soon_as_the_learner_is_there(unwelcome):
    unwelcome.connection.is_blocked = True
    for _ in range(12):
        assert unwelcome.wait(0.11) == []
    unwelcome.connection.is_blocked = False
    assert kinds(unwelcome.wait(0.11)) == [Hello]
    assert unwelcome.client.retries == 1
    assert unwelcome.wait(0.9) == []


def test_there_is_no_room_before_a_welcome(unwelcome):
    assert not unwelcome.client.has_room()
    unwelcome.receive(unwelcome.welcome())
    assert unwelcome.client.has_room()


def test_a_welcome_to_another_epoch_is_ignored(unwelcome):
    unwelcome.receive(unwelcome.welcome(epoch=8))
    assert not unwelcome.client.has_room()


def test_a_welcome_brings_weights(welcomed):
    wanted = welcomed.setup.weights(0).tensors
    found = welcomed.client.weights
    assert (found.learner_incarnation, found.version) == (1, 0)
    assert all((found.tensors[name] == wanted[name]).all() for name in wanted)


def test_a_welcome_with_another_network_s_weights_ends_the_actor(unwelcome):
    other = ClientUnderTest(AgentSetup(influence="off"), unwelcome.connection, unwelcome.clock)
    with pytest.raises(RefusedError, match="the learner's weights do not fit"):
        unwelcome.receive(other.welcome())


def test_segments_are_numbered_and_sent_in_the_order_they_are_pushed(welcomed):
    assert welcomed.push(2) == [1, 2]
    assert welcomed.push() == [3]


def test_a_segment_carries_epoch_number_lane_and_weights_version(welcomed):
    builder = welcomed.builder(version=4)
    builder.add_last_actions(np.full((5, 4), 6, np.uint8))
    welcomed.client.push(builder, lane=3)
    welcomed.client.send_segments()
    (segment,) = welcomed.connection.take_sent()
    assert (segment.epoch, segment.seq, segment.lane, segment.weights_version) == (EPOCH, 1, 3, 4)
    assert (segment.actions[-1] == 6).all()


class TestHello:
    """Names the weights that the actor has, which need not be sent again."""

    def test_names_none_before_a_welcome(self, unwelcome):
        (hello,) = unwelcome.receive()
        assert (hello.learner_incarnation, hello.weights_version) == (0, 0)

    def test_names_the_newest_weights(self, welcomed):
        welcomed.publish(3)
        welcomed.push()
        welcomed.receive(welcomed.ack(received=1))
        (hello,) = welcomed.wait()
        assert (hello.learner_incarnation, hello.weights_version) == (1, 3)

    def test_may_be_answered_by_a_welcome_without_weights(self, welcomed):
        welcomed.push(3)
        welcomed.receive(SAY_HELLO)
        answer = replace(welcomed.welcome(received=1), weights=None)
        assert numbers(welcomed.receive(answer)) == [2, 3]
        assert welcomed.client.weights.version == 0

    def test_is_sent_again_on_a_welcome_without_weights_from_another_learner(self, welcomed):
        welcomed.push(1)
        late = replace(welcomed.welcome(learner=2, received=1), weights=None)
        (hello,) = welcomed.receive(late)
        assert (hello.learner_incarnation, hello.weights_version) == (1, 0)
        assert welcomed.outbox.received == 0

    def test_is_sent_again_on_a_welcome_without_weights_if_the_actor_has_none(self, unwelcome):
        unwelcome.receive()
        answer = replace(unwelcome.welcome(), weights=None)
        assert kinds(unwelcome.receive(answer)) == [Hello]
        assert not unwelcome.client.has_room()


class TestALearnerThatDoesNotKnowTheActor:
    """Asks for Hello, and is sent everything that it has not received."""

    def test_is_sent_hello(self, welcomed):
        welcomed.push(3)
        assert kinds(welcomed.receive(SAY_HELLO)) == [Hello]
        assert numbers(welcomed.receive(welcomed.welcome(received=1))) == [2, 3]

    def test_is_sent_everything_once_even_after_many_refusals(self, welcomed):
        welcomed.push(3)
        assert kinds(welcomed.receive(SAY_HELLO, SAY_HELLO)) == [Hello]
        assert welcomed.push() == []
        assert kinds(welcomed.wait()) == [Hello]
        welcomes = [welcomed.welcome(received=1)] * 2
        assert numbers(welcomed.receive(*welcomes)) == [2, 3, 4]

    def test_is_sent_what_it_lacks_if_it_is_a_new_incarnation(self, welcomed):
        welcomed.push(3)
        welcomed.receive(welcomed.ack(received=3, trained=2, durable=1))
        restarted = welcomed.welcome(learner=2, received=1, trained=1, durable=1)
        assert numbers(welcomed.receive(restarted)) == [2, 3]

    def test_is_sent_hello_again_if_its_welcome_was_lost(self, welcomed):
        welcomed.push(1)
        assert kinds(welcomed.receive(welcomed.ack(received=1, learner=2))) == [Hello]
        assert welcomed.outbox.received == 0


@pytest.mark.parametrize(("received", "trained", "durable"), [(0, 1, 1), (1, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("kind", ["ack", "welcome"])
def test_progress_that_cannot_be_changes_nothing_and_is_counted(
    welcomed, kind, received, trained, durable
):
    welcomed.push(3)
    welcomed.receive(getattr(welcomed, kind)(received=received, trained=trained, durable=durable))
    assert welcomed.client.protocol_errors == 1
    outbox = welcomed.outbox
    assert (outbox.received, outbox.trained, outbox.durable) == (0, 0, 0)


def test_a_fatal_refusal_ends_the_actor(welcomed):
    with pytest.raises(RefusedError, match="the learner refused this actor: another run"):
        welcomed.receive(Refused("another run", fatal=True))


def test_segments_that_could_not_be_sent_are_sent_later_and_in_order(welcomed):
    welcomed.connection.is_blocked = True
    assert welcomed.push(2) == []
    assert welcomed.receive() == []
    welcomed.connection.is_blocked = False
    assert numbers(welcomed.receive()) == [1, 2]
    assert welcomed.outbox.resent == 0


def test_no_segment_is_sent_before_a_welcome(unwelcome):
    unwelcome.receive()
    assert unwelcome.push(1) == []
    assert numbers(unwelcome.receive(unwelcome.welcome())) == [1]


def test_invalid_messages_are_counted_and_ignored(welcomed):
    welcomed.push(1)
    welcomed.receive([b"nonsense"], welcomed.ack(received=1))
    assert welcomed.client.protocol_errors == 1
    assert welcomed.outbox.received == 1
