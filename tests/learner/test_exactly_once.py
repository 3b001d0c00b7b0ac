"""Every durable segment was trained on exactly once, in order within its epoch.

This holds relative to the learner that survives. A killed learner loses nothing; a killed actor
loses at most the segments that were not durable yet.

The tests run real actors' clients (LearnerClient, Outbox) and a real learner (Learner,
SegmentReceiver, Checkpointer) through random faults: messages are lost, repeated and delayed, sends
are refused, connections are cut, and processes are killed at any moment: between two sends, between
two updates, or while a checkpoint is written. Only the network, the disk and the mathematics are
simulated. Each connection keeps its order, but messages of an earlier connection may arrive after
those of a later one. The trainer only records the numbers of its segments.
"""

import math
from collections import deque
from contextlib import suppress
from copy import deepcopy
from itertools import count
from random import Random

import pytest
from tests.learner.recording_trainer import (
    AGENT,
    DIMS,
    FINGERPRINT,
    Disk,
    RecordingTrainer,
    numbered_segment,
)

from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
from ssd_learner.checkpoints import checkpointer
from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.learner import Learner
from ssd_learner.reporting.report import Report
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.codec import encode
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Ack, Hello
from ssd_wire.weights import decode_weights

ARENAS, LANES, WINDOW, RETAINED = 2, 2, 2, 6


class KilledError(Exception):
    """The process is killed at this moment."""


class SimulatedActor:
    """The sending half of an actor: makes segments when there is room, and delivers them."""

    def __init__(self, arena, epoch, connections, now):
        self.epoch = epoch
        self.arena = arena
        self.connections = connections
        self.connection = next(connections)
        self.to_learner = deque()  # (connection, frames)
        self.delayed = deque()  # the same, sent over earlier connections
        self.from_learner = deque()
        self.published = None  # the newest weights that arrived
        self.refuses_sends = False
        self.made = []  # numbers of its segments, in order
        self.outbox = Outbox(LANES, RETAINED)
        hello = Hello(AGENT, arena, epoch, FINGERPRINT)
        self.client = LearnerClient(self, self, hello, self.outbox, DIMS, {}, now)

    def send(self, frames):
        if self.refuses_sends:
            return False
        self.to_learner.append((self.connection, [bytes(frame) for frame in frames]))
        return True

    def receive(self):
        while self.from_learner:
            yield self.from_learner.popleft()

    def newest(self):
        frame, self.published = self.published, None
        return frame

    def reopen(self):
        """Open another connection; messages sent over the previous one may still arrive."""
        self.delayed += self.to_learner
        self.to_learner.clear()
        self.from_learner.clear()
        self.connection = next(self.connections)

    def make_segment(self, number):
        self.made.append(number)
        self.client.push(numbered_segment(number), lane=0)

    def own(self, numbers):
        """Those of its segments, in the order given."""
        return [number for number in numbers if number in self.made]


class Simulation:
    """One agent's actors in two arenas, its learner, and random events. Is the learner's links."""

    def __init__(self, seed, monkeypatch):
        monkeypatch.setattr(checkpointer, "write_checkpoint", self.write_checkpoint)
        self.rng = Random(seed)  # noqa: S311 - for a simulation, not for a secret
        self.budget = self.rng.choice([math.inf, 10, 40])
        self.algorithm = self.rng.choice(["ppo", "vtrace"])
        self.batch_threshold = self.rng.choice([1, 2, WINDOW * LANES])
        self.now = 0.0
        self.numbers = count(1)
        self.connections = (f"connection {number}".encode() for number in count(1))
        self.disk = Disk()
        self.actors = []
        self.dead_actors = []  # whose messages may still arrive
        self.calls_until_kill = None  # of the learner
        self.kill_in_next_training = False
        self.stop_requested = False
        self.published_version = 0
        self.start_learner()
        for arena in range(ARENAS):
            self.start_actor(arena)

    # The learner's links and its disk.

    def receive(self):
        limit = self.rng.choice([1, 3, 100])
        for actor in self.all_actors:
            for queue in self.rng.sample([actor.delayed, actor.to_learner], 2):
                for _ in range(min(limit, len(queue))):
                    yield queue.popleft()

    def send(self, peer, message):
        self.may_be_killed()
        if isinstance(message, Ack):
            assert message.newest_version == self.published_version
        for actor in self.actors:
            if actor.connection == peer:
                actor.from_learner.append([bytes(frame) for frame in encode(message)])
                return True
        return False

    def publish(self, frame):
        self.may_be_killed()
        self.published_version = decode_weights(frame, {}).version
        for actor in self.actors:
            actor.published = frame

    def wait(self, _seconds):
        self.may_be_killed()
        return not self.stop_requested

    def write_checkpoint(self, _folder, progress, tensors, _keep):
        self.may_be_killed()
        self.disk.progress, self.disk.trained = deepcopy(progress), tensors
        self.may_be_killed()

    def may_be_killed(self):
        """Called before each effect that others can notice, and before each wait."""
        if self.calls_until_kill is not None:
            self.calls_until_kill -= 1
            if self.calls_until_kill < 0:
                raise KilledError

    # Processes.

    @property
    def all_actors(self):
        return [*self.dead_actors, *self.actors]

    def start_learner(self):
        self.calls_until_kill = None
        progress = deepcopy(self.disk.progress)
        resumed = progress.watermarks, progress.counts
        self.learner = Learner(
            self,
            RecordingTrainer(self.disk, self.algorithm),
            SegmentReceiver(AGENT, next(self.numbers), FINGERPRINT, RETAINED, *resumed),
            Checkpointer(None, None, interval=5.0, keep=1, now=lambda: self.now),
            DIMS,
            WINDOW,
            self.batch_threshold,
            self.budget,
            self.train,
        )
        self.stop_requested = False
        self.learner.publish_weights()
        self.learner.complete_if_budget_reached()

    def start_actor(self, arena):
        epoch = next(self.numbers)
        actor = SimulatedActor(arena, epoch, self.connections, now=lambda: self.now)
        self.actors.append(actor)

    def step_learner(self):
        try:
            self.learner.handle_messages()
            if self.learner.has_batch():
                self.learner.train_batch()
            if self.learner.checkpointer.is_due(self.learner.receiver):
                self.learner.save_checkpoint()
        except KilledError:
            self.start_learner()
        self.calls_until_kill = None

    def train(self, trainer, segments, poll):
        """Several updates with a poll after each; own-steps advance after the last."""
        if self.kill_in_next_training:
            self.calls_until_kill, self.kill_in_next_training = self.rng.randrange(4), False
        trainer.train_on(segments)
        for _ in range(self.rng.randrange(1, 4)):
            trainer.version += 1
            proceed = poll()
            self.check_disk()
            self.check_counts(in_training=len(segments))
            if not proceed:
                break
        trainer.own_steps += len(segments)
        return Report()

    def step_actor(self, actor):
        try:
            actor.client.poll()
        except RefusedError:  # another actor has its seat
            self.remove_actor(actor)

    def remove_actor(self, actor):
        self.actors.remove(actor)
        self.dead_actors.append(actor)
        if all(other.arena != actor.arena for other in self.actors):
            self.start_actor(actor.arena)

    # Normal events.

    def run_actor(self, actor):
        for _ in range(self.rng.randrange(5)):
            if actor.client.has_room():
                actor.make_segment(next(self.numbers))
        self.step_actor(actor)

    def say_bye(self, actor):
        actor.client.send_bye()

    def run_learner(self, _):
        self.step_learner()

    def advance_clock(self, _):
        self.now += self.rng.choice([0.1, 0.1, 1.1, 6.0])

    # Faults.

    def lose_a_message(self, actor):
        if queue := self.rng.choice([actor.to_learner, actor.from_learner]):
            del queue[self.rng.randrange(len(queue))]

    def repeat_a_message(self, actor):
        if queue := self.rng.choice([actor.to_learner, actor.from_learner]):
            place = self.rng.randrange(len(queue))
            queue.insert(place, queue[place])

    def cut_a_connection(self, actor):
        actor.reopen()
        if self.rng.random() < 0.5:
            actor.delayed.clear()

    def lose_published_weights(self, actor):
        actor.published = None

    def toggle_refused_sends(self, actor):
        actor.refuses_sends = not actor.refuses_sends

    def kill_the_learner(self, _):
        self.start_learner()

    def kill_the_learner_at_work(self, _):
        self.calls_until_kill = self.rng.randrange(16)
        self.step_learner()

    def kill_the_learner_in_its_next_training(self, _):
        self.kill_in_next_training = True

    def kill_the_learner_and_lose_messages(self, actor):
        actor.to_learner.clear()
        self.start_learner()

    def stop_and_restart_the_learner(self, _):
        self.stop_requested = True
        with suppress(KilledError):
            self.learner.run()
            assert not self.learner.receiver.has_uncommitted
            assert not self.learner.receiver.queued
        self.start_learner()

    def kill_an_actor(self, actor):
        if self.rng.random() < 0.5:  # otherwise its last messages still arrive
            actor.to_learner.clear()
            actor.delayed.clear()
        self.remove_actor(actor)

    def start_a_second_actor_in_an_arena(self, actor):
        if len(self.actors) < 2 * ARENAS:
            self.start_actor(actor.arena)

    NORMAL_EVENTS = (run_actor, run_learner, advance_clock)
    FAULTS = (
        say_bye,
        lose_a_message,
        repeat_a_message,
        cut_a_connection,
        lose_published_weights,
        toggle_refused_sends,
        kill_the_learner,
        kill_the_learner_at_work,
        kill_the_learner_in_its_next_training,
        kill_the_learner_and_lose_messages,
        stop_and_restart_the_learner,
        kill_an_actor,
        start_a_second_actor_in_an_arena,
    )

    def step(self):
        """One random event."""
        events = self.FAULTS if self.rng.random() < 0.2 else self.NORMAL_EVENTS
        event = self.rng.choice(events)
        event(self, self.rng.choice(self.actors))

    def finish_without_faults(self):
        """Every actor makes one more segment, says Bye, and waits until all are durable."""
        self.kill_in_next_training = False
        leaving = set()
        for _ in range(100):
            self.now += 0.3
            for actor in list(self.actors):
                actor.refuses_sends = False
                if actor.epoch not in leaving and actor.client.has_room():
                    actor.make_segment(next(self.numbers))
                    actor.client.send_bye()
                    leaving.add(actor.epoch)
                self.step_actor(actor)
            self.step_learner()
            if all(one.epoch in leaving and one.outbox.all_durable for one in self.actors):
                return
        raise AssertionError("an actor waits for ever")

    # Invariants.

    def check(self):
        self.check_order()
        self.check_disk()
        self.check_counts()
        for actor in self.all_actors:  # a segment acknowledged as durable is on disk
            assert actor.outbox.durable <= self.disk.consumed(actor.epoch)

    def check_order(self):
        """Every epoch is trained on from its first segment, without gaps or repetitions."""
        for trained in (self.learner.trainer.trained, self.disk.trained):
            for actor in self.all_actors:
                found = actor.own(trained)
                assert found == actor.made[: len(found)]

    def check_disk(self):
        """Consumed segments are trained, or they are surplus and the budget is reached."""
        for mark in self.disk.progress.watermarks:
            (actor,) = (one for one in self.all_actors if one.epoch == mark.epoch)
            assert len(actor.own(self.disk.trained)) == mark.consumed - mark.surplus
            assert not mark.surplus or self.disk.progress.own_steps >= self.budget

    def check_counts(self, in_training=0):
        receiver = self.learner.receiver
        counts = receiver.counts
        consumed = counts.trained + counts.surplus
        assert counts.received == consumed + in_training + receiver.queued
        assert counts.received == sum(epoch.received for epoch in receiver.epochs)
        assert consumed == sum(epoch.consumed for epoch in receiver.epochs)
        assert counts.trained + in_training == len(self.learner.trainer.trained)


@pytest.mark.parametrize("seed", range(60))
def test_every_durable_segment_was_trained_on_exactly_once_and_in_order(seed, monkeypatch):
    simulation = Simulation(seed, monkeypatch)
    for _ in range(250):
        simulation.step()
        simulation.check()
    simulation.finish_without_faults()
    simulation.check()
    disk = simulation.disk
    for actor in simulation.actors:
        assert disk.consumed(actor.epoch) == len(actor.made) == actor.outbox.durable
        if disk.progress.own_steps < simulation.budget:
            assert actor.own(disk.trained) == actor.made
