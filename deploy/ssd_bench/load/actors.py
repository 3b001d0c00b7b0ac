"""Synthetic actors: they speak as real ones do, and make segments out of nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from itertools import cycle

from ssd_actors.actor import FAREWELL, Ears
from ssd_actors.asking import Line
from ssd_actors.cli import ZmqEars
from ssd_actors.lane import Finished
from ssd_actors.ledger import Ledger
from ssd_actors.outbox import Outbox
from ssd_actors.teacher import News, Teacher
from ssd_bench.load.learner import Target
from ssd_bench.load.segments import Cast
from ssd_run.account import Epoch
from ssd_wire.links import Dealer, Subscriber
from ssd_wire.messages import Hello
from ssd_wire.runfile import fingerprint
from ssd_wire.stop import Stop

LONGEST_WAIT = 0.2  # seconds; silence is noticed at most this late


class Player:
    """One actor of one arena, that makes segments at a pace, or as fast as it may.

    Args:
        epoch: Its arena, its agent, and the number of this incarnation.
        teacher: Its end of the line to the learner.
        ledger: Where its account goes, as a real actor's does.
        lanes: Of its arena.
        drawn: Segments to number and send, over and over.
        pace: Seconds between two segments; 0 makes one whenever there is room.
        now: A clock in seconds.

    Attributes:
        waits: How often a segment was due and there was no room for it.
        waited: Seconds for which that was so.
    """

    def __init__(
        self,
        epoch: Epoch,
        teacher: Teacher,
        ledger: Ledger,
        lanes: int,
        drawn: Sequence[Finished],
        pace: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.epoch = epoch
        self.teacher = teacher
        self.waits = 0
        self._waited = 0.0
        self._ledger = ledger
        self._lanes = cycle(range(lanes))
        self._drawn = cycle(drawn)
        self._pace = pace
        self._now = now
        self._due = now()
        self._waiting_since: float | None = None

    @property
    def waited(self) -> float:
        """Seconds for which a segment was due and there was no room for it, until now."""
        since = self._waiting_since
        return self._waited + (0.0 if since is None else self._now() - since)

    def seconds_left(self) -> float:
        """Until the next segment is due; a wait for room ends by a letter, not by time."""
        if self._waiting_since is not None:
            return LONGEST_WAIT
        return max(0.0, self._due - self._now())

    def play(self) -> None:
        """Read what came, make what is due, send what the line takes."""
        self.teacher.tend()
        while self._now() >= self._due and self._has_room():
            self._make()
        self.note()  # before sending: a learner must never have what no ledger knows of
        self.teacher.send()

    def note(self) -> None:
        """Write the account down."""
        outbox = self.teacher.outbox
        self._ledger.note(outbox.made, outbox.resent, 0)

    def _make(self) -> None:
        finished, weights = next(self._drawn), self.teacher.weights
        assert weights is not None, "there is no room before the first weights"  # noqa: S101
        finished.draft.learner, finished.draft.version = weights.learner, weights.version
        self.teacher.push(finished, next(self._lanes))
        self._due = self._due + self._pace if self._pace else self._now()

    def _has_room(self) -> bool:
        room = self.teacher.has_room()
        if not room and self._waiting_since is None:
            self._waiting_since = self._now()
            self.waits += self.teacher.weights is not None
        elif room and self._waiting_since is not None:
            self._waited = self.waited
            self._waiting_since = None
            self._due = self._now()  # what was not lived while it waited is not made up for
        return room


class Crowd:
    """All synthetic actors of this process, on one thread.

    Args:
        ears: Waits for all their lines.
        players: The actors.
        lines: Those to the learner, for their count of what could not be sent.
    """

    def __init__(self, ears: Ears, players: Sequence[Player], lines: Sequence[Line]) -> None:
        self.players = players
        self._ears = ears
        self._lines = lines

    @property
    def made(self) -> int:
        """Segments so far."""
        return sum(player.teacher.outbox.made for player in self.players)

    @property
    def trained(self) -> int:
        """Segments that the learner has said it is done with."""
        return sum(player.teacher.outbox.trained for player in self.players)

    @property
    def resent(self) -> int:
        """Sendings of a segment that had been sent before."""
        return sum(player.teacher.outbox.resent for player in self.players)

    @property
    def repeats(self) -> int:
        """Questions asked again after silence."""
        return sum(player.teacher.repeats for player in self.players)

    @property
    def dropped(self) -> int:
        """Messages that could not be sent at once."""
        return sum(line.dropped for line in self._lines)

    @property
    def waits(self) -> int:
        """How often a segment was due and there was no room for it."""
        return sum(player.waits for player in self.players)

    @property
    def waited(self) -> float:
        """Actor-seconds for which that was so."""
        return sum(player.waited for player in self.players)

    def play_until(self, over: Callable[[], bool]) -> bool:
        """Make and send segments until something holds; false when asked to stop.

        Raises:
            RefusedError: when the learner will not have one of us.
        """
        while not over():
            patience = min(player.seconds_left() for player in self.players)
            if not self._ears.wait(min(patience, LONGEST_WAIT)):
                return False
            for player in self.players:
                player.play()
        return True

    def take_leave(self) -> bool:
        """Have all segments made durable, in bounded time; whether all are."""
        deadline = time.monotonic() + FAREWELL
        for player in self.players:
            player.teacher.say_bye()
        while time.monotonic() < deadline and not self._is_settled():
            self._ears.wait(LONGEST_WAIT)
            for player in self.players:
                player.teacher.tend()
                player.note()
        return self._is_settled()

    def _is_settled(self) -> bool:
        return all(player.teacher.outbox.is_settled for player in self.players)


def gather(
    exits: ExitStack,
    stop: Stop,
    cast: Cast,
    target: Target,
    actors: int,
    drawn: Sequence[Finished],
    pace: float,
) -> Crowd:
    """Actors of one agent in arenas 0 … actors − 1, each connected as a real one is.

    Args:
        exits: Closes their links.
        stop: The word to stop.
        cast: What they must know.
        target: Their learner.
        actors: How many.
        drawn: What they send.
        pace: Seconds between two segments of one actor; 0 for as fast as it may.
    """
    plan = cast.plan
    mark = fingerprint(plan.run, plan.game, plan.experiment, plan.network)
    links: list[tuple[Dealer, Subscriber]] = []
    players = []
    for arena in range(actors):
        hello = Hello(cast.agent, arena, secrets.randbits(62), mark)
        name = f"actor-{arena}-{cast.agent}-{hello.epoch:016x}"
        line = exits.enter_context(closing(Dealer(target.segments, name.encode())))
        news = exits.enter_context(closing(Subscriber(target.weights)))
        links.append((line, news))
        epoch = (arena, cast.agent, hello.epoch)
        ledger = Ledger(target.run_dir / "ledgers" / f"{name}.json", *epoch)
        teacher = _teacher(line, news, hello, cast)
        players.append(Player(epoch, teacher, ledger, plan.run.lanes, drawn, pace))
    ears = ZmqEars(stop, *(link for pair in links for link in pair))
    return Crowd(ears, players, [line for line, _ in links])


def _teacher(line: Line, news: News, hello: Hello, cast: Cast) -> Teacher:
    outbox = Outbox(cast.plan.run.lanes, cast.plan.run.retained)
    return Teacher(line, news, hello, outbox, cast.sizes, cast.tensors, time.monotonic)
