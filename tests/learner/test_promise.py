"""Relative to the learner that survives, every durable segment was trained exactly once, in order
within its epoch; a killed learner loses nothing, a killed actor at most what was not durable yet.

Real actors' ends (LearnerClient, Outbox) and a real learner (Learner, SegmentReceiver, Checkpointer) live through
whatever may happen to them: messages lost, repeated and late, sends refused, connections cut,
processes killed at any moment, even between two sends, between two updates, or while a checkpoint
is written. Only the network, the disk and the mathematics are played: each connection keeps its
order, and an actor's next one does not wait for it; what a trainer has learnt is the list of
segments it was given.
"""

import math
from collections import deque
from contextlib import suppress
from copy import deepcopy
from itertools import count
from random import Random

import pytest
from tests.learner.diary import AGENT, FINGERPRINT, SIZES, Diary, Disk, segment_of

from ssd_actors.learner_client import LearnerClient
from ssd_actors.outbox import Outbox
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
    """A process is gone, in the middle of what it did."""


class Author:
    """The reporting half of an actor: makes segments where there is room, and delivers them."""

    def __init__(self, arena, epoch, connections, now):
        self.epoch = epoch
        self.arena = arena
        self.connections = connections
        self.name = next(connections)  # of its connection; nothing says whose it is
        self.to_learner = deque()  # the connection's name, and frames
        self.late = deque()  # the same, sent over earlier connections
        self.to_author = deque()
        self.news = None
        self.blocked = False
        self.dropped = 0
        self.names = []  # of its segments, in the order it made them
        self.outbox = Outbox(LANES, RETAINED)
        hello = Hello(AGENT, arena, epoch, FINGERPRINT)
        self.teacher = LearnerClient(self, self, hello, self.outbox, SIZES, {}, now)

    def send(self, frames):
        if self.blocked:
            return False
        self.to_learner.append((self.name, [bytes(frame) for frame in frames]))
        return True

    def receive(self):
        while self.to_author:
            yield self.to_author.popleft()

    def newest(self):
        frame, self.news = self.news, None
        return frame

    def reopen(self):
        """Another connection; what was sent over the one before may yet arrive."""
        self.late += self.to_learner
        self.to_learner.clear()
        self.to_author.clear()
        self.name = next(self.connections)

    def write(self, name):
        self.names.append(name)
        self.teacher.push(segment_of(name), lane=0)

    def own(self, names):
        """Those of its segments, in the order given."""
        return [name for name in names if name in self.names]


class Story:
    """Two arenas' actors of one agent, and its learner, and what chance does to them."""

    def __init__(self, seed, monkeypatch):
        monkeypatch.setattr(
            "ssd_learner.checkpoints.checkpointer.write_checkpoint", self.write_checkpoint
        )
        self.chance = Random(seed)  # noqa: S311 - a story, no secret
        self.budget = self.chance.choice([math.inf, 10, 40])
        self.algorithm = self.chance.choice(["ppo", "vtrace"])
        self.fill = self.chance.choice([1, 2, WINDOW * LANES])
        self.now = 0.0
        self.numbers = count(1)
        self.connections = (f"connection {number}".encode() for number in count(1))
        self.disk = Disk()
        self.authors = []  # those alive
        self.graves = []
        self.fuse = None  # effects until the learner is killed
        self.short_fuse = False  # to be lit when it trains
        self.stops = False
        self.published = 0  # the newest weights' version
        self.start_learner()
        for arena in range(ARENAS):
            self.start_author(arena)

    # The learner's mail and its disk.

    def receive(self):
        most = self.chance.choice([1, 3, 100])
        for author in self.everybody:
            for link in self.chance.sample([author.late, author.to_learner], 2):
                for _ in range(min(most, len(link))):
                    yield link.popleft()

    def send(self, peer, message):
        self.effect()
        if isinstance(message, Ack):
            assert message.newest_version == self.published
        for author in self.authors:
            if author.name == peer:
                author.to_author.append([bytes(frame) for frame in encode(message)])
                return True
        return False

    def publish(self, frame):
        self.effect()
        self.published = decode_weights(frame, {}).version
        for author in self.authors:
            author.news = frame

    def wait(self, _seconds):
        self.effect()
        return not self.stops

    def write_checkpoint(self, _folder, clocks, tensors, _keep):
        self.effect()
        self.disk.clocks, self.disk.trained = deepcopy(clocks), tensors
        self.effect()

    def effect(self):
        """Something that others can notice, or a wait; the learner may be killed before it."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise KilledError

    # Births, deaths and work.

    @property
    def everybody(self):
        return [*self.graves, *self.authors]

    def start_learner(self):
        self.fuse = None
        clocks = deepcopy(self.disk.clocks)
        intake = SegmentReceiver(
            AGENT, next(self.numbers), FINGERPRINT, RETAINED, clocks.watermarks, clocks.counts
        )
        archive = Checkpointer(None, None, seconds=5.0, keep=1, now=lambda: self.now)
        trainer = Diary(self.disk, self.algorithm)
        known = trainer, intake, archive, SIZES, WINDOW
        self.learner = Learner(self, *known, self.fill, self.budget, self.train)
        self.stops = False
        self.learner.publish_weights()
        self.learner.finish_if_complete()

    def start_author(self, arena):
        self.authors.append(Author(arena, next(self.numbers), self.connections, lambda: self.now))

    def learner_works(self):
        try:
            self.learner.read_mail()
            if self.learner.has_batch():
                self.learner.train_what_has_arrived()
            if self.learner.archive.is_due(self.learner.intake):
                self.learner.save()
        except KilledError:
            self.start_learner()
        self.fuse = None

    def train(self, trainer, segments, tend):
        """Several updates, and letters after each; only the end of the last moves the clock."""
        if self.short_fuse:
            self.fuse, self.short_fuse = self.chance.randrange(4), False
        trainer.learn(segments)
        for _ in range(self.chance.randrange(1, 4)):
            trainer.version += 1
            goes_on = tend()
            self.check_disk()
            self.check_account(in_training=len(segments))
            if not goes_on:
                break
        trainer.own_steps += len(segments)
        return Report()

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

    # What happens in health.

    def an_actor_lives(self, author):
        for _ in range(self.chance.randrange(5)):
            if author.teacher.has_room():
                author.write(next(self.numbers))
        self.author_works(author)

    def an_actor_says_bye(self, author):
        author.teacher.say_bye()

    def the_learner_lives(self, _):
        self.learner_works()

    def time_passes(self, _):
        self.now += self.chance.choice([0.1, 0.1, 1.1, 6.0])

    # What may go wrong.

    def a_message_is_lost(self, author):
        if link := self.chance.choice([author.to_learner, author.to_author]):
            del link[self.chance.randrange(len(link))]

    def a_message_comes_twice(self, author):
        if link := self.chance.choice([author.to_learner, author.to_author]):
            place = self.chance.randrange(len(link))
            link.insert(place, link[place])

    def a_connection_is_cut(self, author):
        author.reopen()
        if self.chance.random() < 0.5:
            author.late.clear()

    def news_is_lost(self, author):
        author.news = None

    def sends_are_refused_or_no_longer(self, author):
        author.blocked = not author.blocked

    def the_learner_is_killed(self, _):
        self.start_learner()

    def the_learner_is_killed_at_work(self, _):
        self.fuse = self.chance.randrange(16)
        self.learner_works()

    def the_learner_is_killed_when_it_trains_next(self, _):
        self.short_fuse = True

    def the_learner_is_killed_and_letters_with_it(self, author):
        author.to_learner.clear()
        self.start_learner()

    def the_learner_stops_and_starts_again(self, _):
        self.stops = True
        with suppress(KilledError):
            self.learner.live()
            assert not self.learner.intake.has_news
            assert not self.learner.intake.waiting
        self.start_learner()

    def an_actor_is_killed(self, author):
        if self.chance.random() < 0.5:  # or else its last letters live on
            author.to_learner.clear()
            author.late.clear()
        self.bury(author)

    def an_actor_is_started_beside_one_that_lives(self, author):
        if len(self.authors) < 2 * ARENAS:
            self.start_author(author.arena)

    HEALTH = (an_actor_lives, the_learner_lives, time_passes)
    TROUBLE = (
        an_actor_says_bye,
        a_message_is_lost,
        a_message_comes_twice,
        a_connection_is_cut,
        news_is_lost,
        sends_are_refused_or_no_longer,
        the_learner_is_killed,
        the_learner_is_killed_at_work,
        the_learner_is_killed_when_it_trains_next,
        the_learner_is_killed_and_letters_with_it,
        the_learner_stops_and_starts_again,
        an_actor_is_killed,
        an_actor_is_started_beside_one_that_lives,
    )

    def goes_on(self):
        """One thing happens to somebody."""
        happens = self.chance.choice(self.TROUBLE if self.chance.random() < 0.2 else self.HEALTH)
        happens(self, self.chance.choice(self.authors))

    def ends_well(self):
        """Nothing goes wrong any more: everybody makes one more segment, and then leaves."""
        self.short_fuse = False
        last_words = set()
        for _ in range(100):
            self.now += 0.3
            for author in list(self.authors):
                author.blocked = False
                if author.epoch not in last_words and author.teacher.has_room():
                    author.write(next(self.numbers))
                    author.teacher.say_bye()
                    last_words.add(author.epoch)
                self.author_works(author)
            self.learner_works()
            if all(one.epoch in last_words and one.outbox.is_settled for one in self.authors):
                return
        raise AssertionError("somebody waits for ever")

    # What must hold, always.

    def check(self):
        self.check_order()
        self.check_disk()
        self.check_account()
        for author in self.everybody:  # nobody calls durable what is not on disk
            assert author.outbox.durable <= self.disk.consumed(author.epoch)

    def check_order(self):
        """Every epoch is trained from its first segment on, without gap or repeat."""
        for trained in (self.learner.trainer.trained, self.disk.trained):
            for author in self.everybody:
                found = author.own(trained)
                assert found == author.names[: len(found)]

    def check_disk(self):
        """What is handled is trained; or it is surplus, and then the budget is met."""
        for mark in self.disk.clocks.watermarks:
            (author,) = (one for one in self.everybody if one.epoch == mark.epoch)
            assert len(author.own(self.disk.trained)) == mark.consumed - mark.surplus
            assert not mark.surplus or self.disk.clocks.own_steps >= self.budget

    def check_account(self, in_training=0):
        intake = self.learner.intake
        counts = intake.counts
        handled = counts.trained + counts.surplus
        assert counts.received == handled + in_training + intake.waiting
        assert counts.received == sum(epoch.received for epoch in intake.epochs)
        assert handled == sum(epoch.consumed for epoch in intake.epochs)
        assert counts.trained + in_training == len(self.learner.trainer.trained)


@pytest.mark.parametrize("seed", range(60))
def test_every_durable_segment_was_trained_exactly_once_and_in_order(seed, monkeypatch):
    story = Story(seed, monkeypatch)
    for _ in range(250):
        story.goes_on()
        story.check()
    story.ends_well()
    story.check()
    for author in story.authors:
        assert story.disk.consumed(author.epoch) == len(author.names) == author.outbox.durable
        if story.disk.clocks.own_steps < story.budget:
            assert author.own(story.disk.trained) == author.names
