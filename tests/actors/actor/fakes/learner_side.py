"""A learner client on a connection of lists, and the messages that its learner could send."""

import numpy as np
from tests.actors.actor.fakes.connections import ListSubscription

from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_actors.segment_builder import SegmentBuilder
from ssd_wire.messages import Ack, Hello, Refused, Segment, Welcome
from ssd_wire.weights import encode_weights

EPOCH = 7
SAY_HELLO = Refused("unknown epoch: say Hello", fatal=False)


class ClientUnderTest:
    """A learner client, and everything that it uses."""

    def __init__(self, setup, connection, clock):
        self.setup = setup
        self.connection = connection
        self.clock = clock
        self.subscription = ListSubscription()
        self.outbox = Outbox(lanes=1, max_kept=10)
        self.client = LearnerClient(
            connection,
            self.subscription,
            Hello(1, 0, EPOCH, "this run"),
            self.outbox,
            setup.dims,
            setup.tensors,
            clock.read,
        )

    def welcome(self, version=0, learner=1, received=0, trained=0, durable=0, epoch=EPOCH):
        frame = encode_weights(self.setup.weights(version, learner))
        progress = (received, trained, durable)
        weights = np.frombuffer(frame, np.uint8)
        return Welcome(epoch, learner, *progress, window=3, complete=False, weights=weights)

    def ack(self, received=0, trained=0, durable=0, newest=0, learner=1):
        return Ack(EPOCH, learner, received, trained, durable, newest, complete=False)

    def publish(self, version, learner=1):
        self.subscription.frame = encode_weights(self.setup.weights(version, learner))

    def receive(self, *messages):
        """Have messages arrive and be handled; what is sent because of them."""
        self.connection.arrive(*messages)
        self.client.poll()
        return self.connection.take_sent()

    def wait(self, seconds=1.1):
        """Have no message arrive for a while; what is sent because of it."""
        self.clock.now += seconds
        return self.receive()

    def builder(self, version=0):
        state = np.zeros((5, self.setup.dims.S), np.float32)
        return SegmentBuilder(self.setup.dims, 1, version, state)

    def push(self, number=1):
        """Push so many segments; the numbers of those that are sent."""
        for _ in range(number):
            self.client.push(self.builder(), lane=0)
        self.client.send_segments()
        return numbers(self.connection.take_sent())


def numbers(messages):
    assert all(isinstance(message, Segment) for message in messages)
    return [message.seq for message in messages]


def kinds(messages):
    return [type(message) for message in messages]
