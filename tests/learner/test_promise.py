"""Relative to the learner that survives, every durable segment was trained exactly once, in order
within its epoch; a killed learner loses nothing, a killed actor at most what was not durable yet.

Real actors' ends (Teacher, Outbox) and a real learner (Learner, Intake, Archive) live through
whatever may happen to them: messages lost, repeated and late, sends refused, processes killed at
any moment, even between two sends or while a checkpoint is written. Only the network, the disk and
the mathematics are played: each link keeps its order, as a connection does; what a trainer has
learnt is the list of segments it was given.
"""

from collections import deque
from copy import deepcopy
from itertools import count
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ssd_actors.draft import Draft, SegmentShape
from ssd_actors.lane import Finished
from ssd_actors.outbox import Outbox
from ssd_actors.teacher import Teacher
from ssd_learner.archive import Archive
from ssd_learner.intake import Counts, Intake
from ssd_learner.learner import Learner
from ssd_learner.trainer import Report
from ssd_wire.codec import encode
from ssd_wire.errors import RefusedError
from ssd_wire.messages import Hello

FINGERPRINT = "this run"
AGENT, ARENAS, LANES, WINDOW, RETAINED = 1, 2, 2, 2, 6
SIZES = {"T": 1, "B": 1, "N": 2, "W": 3, "A": 2, "P": 2, "S": 1}
SHAPE = SegmentShape(steps=1, games=1, agents=2, view=3, state=1)


class KilledError(Exception):
    """A process is gone, in the middle of what it did."""


class Disk:
    """Holds the last checkpoint, in place of a folder."""

    def __init__(self):
        self.clocks = SimpleNamespace(own_steps=0, version=0, counts=Counts(), watermarks=())
        self.trained = ()

    def handled(self, epoch):
        return sum(mark.handled for mark in self.clocks.watermarks if mark.epoch == epoch)


class Diary:
    """A trainer that learns its segments by heart, and nothing else."""

    def __init__(self, disk):
        self.shape = SimpleNamespace(agent=AGENT)
        self.learning = SimpleNamespace(batch_segments=3)
        self.device = torch.device("cpu")
        self.own_steps, self.version = disk.clocks.own_steps, disk.clocks.version
        self.trained = disk.trained

    def learn(self, batch):
        self.trained += tuple(int(name) for name in batch.reward.flatten())
        self.own_steps += batch.steps
        self.version += 1
        return Report()

    def state(self):
        return self.trained

    def tensors(self):
        return {}


class Author:
    """The reporting half of an actor: makes segments where there is room, and delivers them."""

    def __init__(self, arena, epoch, now):
        self.epoch = epoch
        self.arena = arena
        self.name = f"actor-{arena}-{epoch}".encode()
        self.to_learner = deque()
        self.to_author = deque()
        self.news = None
        self.blocked = False
        self.dropped = 0
        self.names = []  # of its segments, in the order it made them
        self.outbox = Outbox(LANES, RETAINED)
        hello = Hello(AGENT, arena, epoch, FINGERPRINT)
        self.teacher = Teacher(self, self, hello, self.outbox, SIZES, {}, now)

    def send(self, frames):
        if self.blocked:
            return False
        self.to_learner.append([bytes(frame) for frame in frames])
        return True

    def receive(self):
        while self.to_author:
            yield self.to_author.popleft()

    def newest(self):
        frame, self.news = self.news, None
        return frame

    def write(self, name):
        draft = Draft(SHAPE, learner=1, version=0, state=np.zeros((1, 1), np.float32))
        draft.reward[:] = name  # by which the diary knows it
        self.names.append(name)
        self.teacher.push(Finished(draft, np.zeros((1, 2), np.uint8)), lane=0)


class World(RuleBasedStateMachine):
    """Two arenas' actors of one agent, and its learner."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.numbers = count(1)
        self.disk = Disk()
        self.authors = []  # those alive
        self.graves = []
        self.fuse = None  # effects until the learner is killed
        patch = mock.patch("ssd_learner.archive.write_checkpoint", self.write_checkpoint)
        patch.start()
        self.unpatch = patch.stop

    @initialize(budget=st.just(float("inf")) | st.integers(1, 40))
    def begin(self, budget):
        self.budget = budget
        self.start_learner()
        for arena in range(ARENAS):
            self.start_author(arena)

    # What the learner is given: the network and the disk.

    def wait(self, _seconds):
        return False  # asked to stop

    def receive(self):
        for author in [*self.graves, *self.authors]:
            for _ in range(min(self.most_letters, len(author.to_learner))):
                yield author.name, author.to_learner.popleft()

    def send(self, peer, message):
        self.effect()
        for author in self.authors:
            if author.name == peer:
                author.to_author.append([bytes(frame) for frame in encode(message)])
                return True
        return False

    def publish(self, frame):
        self.effect()
        for author in self.authors:
            author.news = frame

    def write_checkpoint(self, _folder, clocks, tensors, _keep):
        self.effect()
        self.disk.clocks, self.disk.trained = deepcopy(clocks), tensors
        self.effect()

    def effect(self):
        """Something that others can notice; the learner may be killed before it."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise KilledError

    # What happens in health.

    def start_learner(self):
        self.fuse = None
        clocks = deepcopy(self.disk.clocks)
        intake = Intake(
            AGENT, next(self.numbers), FINGERPRINT, RETAINED, clocks.watermarks, clocks.counts
        )
        archive = Archive(None, None, seconds=5.0, keep=1, now=lambda: self.now)
        self.most_letters = 100
        self.learner = Learner(self, Diary(self.disk), intake, archive, SIZES, WINDOW, self.budget)
        self.learner.finish_if_complete()
        self.learner.publish_weights()

    def start_author(self, arena):
        self.authors.append(Author(arena, next(self.numbers), lambda: self.now))

    def learner_works(self):
        try:
            self.learner.read_mail()
            self.learner.train_what_has_arrived()
            if self.learner.archive.is_due(self.learner.intake):
                self.learner.save()
        except KilledError:
            self.start_learner()

    def author_works(self, author):
        try:
            author.teacher.tend()
        except RefusedError:  # another has its seat
            self.bury(author)

    def bury(self, author):
        self.authors.remove(author)
        self.graves.append(author)
        if all(other.arena != author.arena for other in self.authors):
            self.start_author(author.arena)

    def pick(self, which):
        return self.authors[which % len(self.authors)]

    anyone = st.integers(0, 3)

    @rule(which=anyone, segments=st.integers(0, 4))
    def actor_lives(self, which, segments):
        author = self.pick(which)
        for _ in range(segments):
            if author.teacher.has_room():
                author.write(next(self.numbers))
        self.author_works(author)

    @rule(most=st.sampled_from([1, 2, 100]))
    def learner_lives(self, most):
        self.most_letters = most
        self.learner_works()

    @rule(seconds=st.sampled_from([0.1, 1.1, 6.0]))
    def time_passes(self, seconds):
        self.now += seconds

    # What may go wrong.

    @rule(which=anyone, to_learner=st.booleans(), number=st.integers(0, 5))
    def message_is_lost(self, which, to_learner, number):
        author = self.pick(which)
        link = author.to_learner if to_learner else author.to_author
        if number < len(link):
            del link[number]

    @rule(which=anyone, to_learner=st.booleans(), number=st.integers(0, 5))
    def message_comes_twice(self, which, to_learner, number):
        author = self.pick(which)
        link = author.to_learner if to_learner else author.to_author
        if number < len(link):
            link.insert(number, link[number])

    @rule(which=anyone)
    def news_is_lost(self, which):
        self.pick(which).news = None

    @rule(which=anyone)
    def sends_are_refused_or_no_longer(self, which):
        author = self.pick(which)
        author.blocked = not author.blocked

    @rule()
    def learner_is_killed(self):
        self.start_learner()

    @rule(after=st.integers(0, 8))
    def learner_is_killed_at_work(self, after):
        self.fuse = after
        self.learner_works()
        self.fuse = None

    @rule(which=anyone)
    def letters_die_with_the_learner(self, which):
        author = self.pick(which)
        author.to_learner.clear()
        self.start_learner()

    @rule()
    def learner_stops_in_good_order_and_starts_again(self):
        self.most_letters = 100
        self.learner.live()
        assert not self.learner.intake.has_news
        self.start_learner()

    @rule(which=anyone, letters_live_on=st.booleans())
    def actor_is_killed(self, which, letters_live_on):
        author = self.pick(which)
        if not letters_live_on:
            author.to_learner.clear()
        self.bury(author)

    @precondition(lambda self: len(self.authors) < 4)
    @rule(arena=st.integers(0, ARENAS - 1))
    def actor_is_started_beside_one_that_still_lives(self, arena):
        self.start_author(arena)

    # What must hold, always.

    def trained_of(self, author, trained):
        return [name for name in trained if name in author.names]

    @invariant()
    def every_epoch_is_trained_in_order_without_gap_or_repeat(self):
        for trained in (self.learner.trainer.trained, self.disk.trained):
            for author in [*self.graves, *self.authors]:
                found = self.trained_of(author, trained)
                assert found == author.names[: len(found)]

    @invariant()
    def nobody_calls_durable_what_is_not_on_disk(self):
        for author in [*self.graves, *self.authors]:
            assert author.outbox.durable <= self.disk.handled(author.epoch)

    @invariant()
    def what_is_on_disk_is_trained_or_surplus(self):
        for mark in self.disk.clocks.watermarks:
            (author,) = (one for one in [*self.graves, *self.authors] if one.epoch == mark.epoch)
            found = self.trained_of(author, self.disk.trained)
            assert len(found) == mark.handled - mark.surplus
            assert not mark.surplus or self.disk.clocks.own_steps >= self.budget

    @invariant()
    def the_account_adds_up(self):
        intake = self.learner.intake
        counts = intake.counts
        assert counts.received == counts.trained + counts.surplus + intake.waiting
        assert counts.trained == len(self.learner.trainer.trained)
        assert counts.received == sum(epoch.received for epoch in intake.epochs)

    def teardown(self):
        """All goes well from now on: then everything that living actors made becomes durable."""
        try:
            if hasattr(self, "learner"):
                self.leave_in_peace()
        finally:
            self.unpatch()

    def leave_in_peace(self):
        self.most_letters = 100
        for _ in range(60):
            self.now += 1.1
            for author in list(self.authors):
                author.blocked = False
                self.author_works(author)
            self.learner_works()
            if all(author.outbox.is_settled and author.teacher.weights for author in self.authors):
                break
            for author in self.authors:
                author.teacher.say_bye()
        for author in self.authors:
            assert self.disk.handled(author.epoch) == author.outbox.durable == len(author.names)
            if self.disk.clocks.own_steps < self.budget:
                assert self.trained_of(author, self.disk.trained) == author.names
        self.every_epoch_is_trained_in_order_without_gap_or_repeat()
        self.what_is_on_disk_is_trained_or_surplus()
        self.the_account_adds_up()


TestPromise = World.TestCase
TestPromise.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, derandomize=True
)
