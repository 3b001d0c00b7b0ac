"""The segment protocol as a state machine: an Outbox and a SegmentReceiver, and random events.

There are no clocks, connections or bytes: only the numbers that both sides keep. Messages wait in a
queue that keeps its order, may lose any of them, and is lost where either side is replaced.
"""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.learner.segments.receiving import FINGERPRINT, peer, segment

from ssd_actors.outbox import Outbox
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.messages import Ack, Hello, Refused, Welcome

LANES, WINDOW, RETAINED, VERSION = 2, 2, 5, 0


class SegmentProtocol(RuleBasedStateMachine):
    """One arena's actor and its learner; each may be killed, and is then replaced by another."""

    def __init__(self):
        super().__init__()
        self.incarnations = iter(range(1, 10_000))
        self.on_disk = ((), [])  # watermarks, and what had been trained on
        self.made = {}  # by epoch: how many
        self.start_learner()
        self.start_actor()

    # Both sides.

    def start_learner(self):
        watermarks, trained = self.on_disk
        incarnation = next(self.incarnations)
        self.receiver = SegmentReceiver(1, incarnation, FINGERPRINT, RETAINED, watermarks)
        self.trained = list(trained)
        self.to_learner, self.to_actor = deque(), deque()

    def start_actor(self):
        self.epoch = next(self.incarnations)
        self.made[self.epoch] = 0
        self.outbox = Outbox(LANES, RETAINED)
        self.to_learner, self.to_actor = deque(), deque()
        self.needs_welcome = True
        self.say_hello()

    def say_hello(self):
        self.to_learner.append(Hello(1, 0, self.epoch, FINGERPRINT))

    @rule()
    def the_actor_makes_a_segment(self):
        if self.outbox.has_room():
            self.outbox.add([])
            self.made[self.epoch] += 1

    @rule()
    def the_actor_sends(self):
        if not self.needs_welcome:
            for unsent in self.outbox.unsent():
                self.to_learner.append(segment(self.epoch, unsent.seq))
                self.outbox.mark_sent(unsent)

    @rule()
    def the_actor_repeats_itself(self):
        oldest = self.outbox.oldest_unreceived()
        if self.needs_welcome or oldest is None:
            self.say_hello()
        else:
            self.to_learner.append(segment(self.epoch, oldest.seq))

    @precondition(lambda self: self.to_learner)
    @rule(count=st.integers(1, 4))
    def the_learner_receives(self, count):
        for _ in range(min(count, len(self.to_learner))):
            message = self.to_learner.popleft()
            answer = self.welcome if isinstance(message, Hello) else self.accept
            self.to_actor.append(answer(message))

    def welcome(self, hello):
        epoch = self.receiver.hello(peer(hello.epoch), hello)
        assert not isinstance(epoch, Refused)
        progress = (epoch.received, epoch.consumed, epoch.durable)
        return Welcome(self.epoch, self.receiver.learner_incarnation, *progress, WINDOW, False)

    def accept(self, one):
        outcome = self.receiver.segment(peer(one.epoch), one)
        return outcome if isinstance(outcome, Refused) else self.receiver.ack(outcome, VERSION)

    @precondition(lambda self: self.to_actor)
    @rule()
    def the_actor_receives(self):
        message = self.to_actor.popleft()
        match message:
            case Welcome():
                self.outbox.on_welcome(message, resend=self.needs_welcome)
                self.needs_welcome = False
            case Ack():
                self.outbox.on_ack(message)
            case Refused():
                assert not message.fatal
                self.needs_welcome = True
                self.say_hello()

    @rule(limit=st.integers(1, 5))
    def the_learner_trains(self, limit):
        self.trained += [(one.epoch, one.seq) for one in self.receiver.take(limit)]
        self.receiver.mark_trained()

    @rule()
    def the_learner_writes_a_checkpoint(self):
        watermarks = tuple(epoch.watermark() for epoch in self.receiver.epochs)
        self.on_disk = (watermarks, list(self.trained))
        self.receiver.mark_durable(watermarks)

    @rule()
    def the_learner_acknowledges(self):
        for epoch in self.receiver.epochs:
            if epoch.number == self.epoch and epoch.peer is not None:
                self.to_actor.append(self.receiver.ack(epoch, VERSION))

    # Faults.

    @precondition(lambda self: self.to_learner or self.to_actor)
    @rule(data=st.data())
    def a_message_is_lost(self, data):
        queue = self.to_learner or self.to_actor
        del queue[data.draw(st.integers(0, len(queue) - 1))]

    @precondition(lambda self: self.to_learner)
    @rule(data=st.data())
    def a_message_arrives_twice(self, data):
        place = data.draw(st.integers(0, len(self.to_learner) - 1))
        self.to_learner.insert(place, self.to_learner[place])

    @rule()
    def the_learner_is_killed(self):
        self.start_learner()

    @rule()
    def the_actor_is_killed(self):
        self.start_actor()

    # What is true at any time.

    @invariant()
    def every_epoch_is_trained_on_once_in_order_and_without_gaps(self):
        for trained in (self.trained, self.on_disk[1]):
            for epoch, made in self.made.items():
                numbers = [seq for of, seq in trained if of == epoch]
                assert numbers == list(range(1, len(numbers) + 1))
                assert len(numbers) <= made

    @invariant()
    def what_an_actor_drops_is_on_disk(self):
        on_disk = sum(mark.consumed for mark in self.on_disk[0] if mark.epoch == self.epoch)
        assert self.outbox.durable <= on_disk

    @invariant()
    def limits_are_kept(self):
        assert self.outbox.made - self.outbox.durable <= RETAINED
        for epoch in self.receiver.epochs:
            assert epoch.durable <= epoch.consumed <= epoch.received

    def teardown(self):
        """Without further faults everything that the last actor made becomes durable."""
        for _ in range(3 * RETAINED):
            if self.outbox.all_durable and not self.needs_welcome:
                break
            self.the_actor_sends()
            self.the_actor_repeats_itself()
            while self.to_learner:
                self.the_learner_receives(1)
            self.the_learner_trains(5)
            self.the_learner_writes_a_checkpoint()
            self.the_learner_acknowledges()
            while self.to_actor:
                self.the_actor_receives()
        assert self.outbox.durable == self.made[self.epoch]
        self.every_epoch_is_trained_on_once_in_order_and_without_gaps()


TestSegmentProtocol = SegmentProtocol.TestCase
TestSegmentProtocol.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
