"""The segment protocol as a state machine: an Outbox and a SegmentReceiver, and random events.

There are no clocks, connections or bytes: only the numbers that both sides keep. Messages wait in a
queue that keeps its order, may lose any of them, and is lost where either side is replaced.
"""

from collections import deque
from itertools import islice

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
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

    # What the two sides do.

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
        self.welcomed_by = 0
        self.say_hello()

    def say_hello(self):
        self.to_learner.append(Hello(1, 0, self.epoch, FINGERPRINT))

    def make_a_segment(self):
        if self.outbox.has_room():
            self.outbox.add([])
            self.made[self.epoch] += 1
            assert self.outbox.made - self.outbox.durable <= RETAINED
            assert self.outbox.made - self.outbox.trained <= WINDOW * LANES

    def send_segments(self):
        if not self.needs_welcome:
            for unsent in self.outbox.unsent():
                self.to_learner.append(segment(self.epoch, unsent.seq))
                self.outbox.mark_sent(unsent)

    def repeat(self):
        oldest = self.outbox.oldest_unreceived()
        if self.needs_welcome or oldest is None:
            self.say_hello()
        else:
            self.to_learner.append(segment(self.epoch, oldest.seq))

    def learner_receives(self):
        if self.to_learner:
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

    def actor_receives(self):
        match self.to_actor.popleft() if self.to_actor else None:
            case Welcome() as welcome:
                self.outbox.on_welcome(welcome, resend=self.needs_welcome)
                if welcome.learner_incarnation != self.welcomed_by and self.made[self.epoch]:
                    to_send = [unsent.seq for unsent in islice(self.outbox.unsent(), 1)]
                    assert to_send in ([], [welcome.received + 1])
                    assert to_send or welcome.received == self.made[self.epoch]
                self.welcomed_by = welcome.learner_incarnation
                self.needs_welcome = False
            case Ack() as ack:
                self.outbox.on_ack(ack)
            case Refused() as refused:
                assert not refused.fatal
                self.needs_welcome = True
                self.say_hello()

    def all_messages_arrive(self):
        for _ in range(200):
            self.learner_receives()
            self.actor_receives()
        assert not self.to_learner
        assert not self.to_actor

    def train(self):
        self.trained += [(one.epoch, one.seq) for one in self.receiver.take(2)]
        self.receiver.mark_trained()

    def write_a_checkpoint(self):
        watermarks = tuple(epoch.watermark() for epoch in self.receiver.epochs)
        self.on_disk = (watermarks, list(self.trained))
        self.receiver.mark_durable(watermarks)

    def acknowledge(self):
        for epoch in self.receiver.epochs:
            if epoch.number == self.epoch and epoch.peer is not None:
                self.to_actor.append(self.receiver.ack(epoch, VERSION))

    NORMAL = (
        make_a_segment,
        send_segments,
        repeat,
        learner_receives,
        actor_receives,
        send_segments,
        all_messages_arrive,
        train,
        write_a_checkpoint,
        acknowledge,
    )

    # One rule only: hypothesis leaves out some of a machine's rules in each example.
    @rule(
        operations=st.lists(st.sampled_from(NORMAL), min_size=6, max_size=20),
        fault=st.sampled_from([None, "lose", "lose", "repeat", "kill learner", "kill actor"]),
        is_upward=st.booleans(),
        place=st.integers(0, 3),
    )
    def some_go_well_and_one_fails(self, operations, fault, is_upward, place):
        for operation in operations:
            operation(self)
        queue = self.to_learner if is_upward else self.to_actor
        if fault == "kill learner":
            self.start_learner()
        elif fault == "kill actor":
            self.start_actor()
        elif queue and fault == "lose":
            del queue[place % len(queue)]
        elif queue and fault == "repeat":
            queue.insert(place % len(queue), queue[place % len(queue)])

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
    def progress_is_ordered(self):
        for epoch in self.receiver.epochs:
            assert epoch.durable <= epoch.consumed <= epoch.received

    def teardown(self):
        """Without further faults everything that the last actor makes becomes durable."""
        for _ in range(3 * RETAINED):
            self.make_a_segment()
            self.send_segments()
            self.repeat()
            self.all_messages_arrive()
            self.train()
            self.write_a_checkpoint()
            self.acknowledge()
            self.all_messages_arrive()
        assert self.outbox.made == self.outbox.durable > RETAINED
        self.every_epoch_is_trained_on_once_in_order_and_without_gaps()


TestSegmentProtocol = SegmentProtocol.TestCase
TestSegmentProtocol.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
