"""The actor process: agent k in one arena, acting, reckoning and reporting. Start reading here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from ssd_actors.env_client import EnvClient
from ssd_actors.lane import Lane
from ssd_actors.learner_client import LearnerClient
from ssd_actors.ledger import Ledger
from ssd_wire.messages import Timestep

LONGEST_WAIT = 0.2  # seconds; silence is noticed at most this late
FAREWELL = 10.0  # seconds to wait, at the end, for the last segments to be durable


class Poller(Protocol):
    """Waits for both lines at once, and for the word to stop."""

    def wait(self, seconds: float) -> bool:
        """Return when something came or time is up; false when asked to stop."""


class Actor:
    """One agent in one arena, and all its state that metrics read.

    All it touches is passed in: ZeroMQ in production, plain lists in tests.

    Args:
        ears: Waits for both lines.
        world: Where it acts.
        teacher: Whom it reports to.
        lanes: What it remembers of each lane.
        ledger: Where its account survives it.
        now: A clock in seconds.

    Attributes:
        agent_steps: Acted by this process.
        influence: Mean c of the last finished segment, nats.
        waited: Seconds spent waiting, by for whom.
    """

    def __init__(
        self,
        ears: Poller,
        world: EnvClient,
        teacher: LearnerClient,
        lanes: Sequence[Lane],
        ledger: Ledger,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ears = ears
        self.world = world
        self.teacher = teacher
        self.lanes = lanes
        self.ledger = ledger
        self.agent_steps = 0
        self.influence = 0.0
        self.waited = {"world": 0.0, "learner": 0.0}
        self._now = now
        self._held: dict[int, Timestep] = {}  # by lane: seen, and not yet answered

    def live(self) -> None:
        """Act in the world and report to the learner until asked to stop."""
        while self._wait():
            self.teacher.tend()
            for seen in self.world.timesteps():
                self.see(self.lanes[seen.lane], seen)
            for number, seen in list(self._held.items()):
                if self.may_answer(number):
                    del self._held[number]
                    self.answer(self.lanes[number], seen)
            self._note()  # before sending: a learner must never have what no ledger knows of
            self.teacher.send()
        self._take_leave()

    def see(self, lane: Lane, seen: Timestep) -> None:
        """Take in what a timestep tells of the steps before it, once, and hold it to be answered.

        The segment that this finishes counts before another one may begin.
        """
        held = self._held.get(lane.number)
        if held is not None and (held.env_incarnation, held.tick) == (
            seen.env_incarnation,
            seen.tick,
        ):
            return
        self._held[lane.number] = seen
        if seen.env_incarnation != lane.env_incarnation:
            lane.enter(seen.env_incarnation)

        # Others moved at the same instant as we did, so what we did to them can be reckoned
        # only now that their actions have come back with the next view.
        finished = lane.reckon(seen)
        if finished is not None:
            self.influence = float(finished.draft.influence.mean())
            self.teacher.push(finished, lane.number)

    def may_answer(self, number: int) -> bool:
        """Whether to act now: not where that begins a segment for which there is no room."""
        return not self.lanes[number].wants_segment or self.teacher.has_room()

    def answer(self, lane: Lane, seen: Timestep) -> None:
        """Act in one step of one lane."""
        if lane.wants_segment and self.teacher.weights is not None:
            lane.begin_segment(seen, self.teacher.weights)
        self.world.act(lane.act(seen))
        self.agent_steps += len(seen.is_first)

    @property
    def discarded(self) -> int:
        """Segments begun and given up because a world started anew."""
        return sum(lane.discarded for lane in self.lanes)

    def _wait(self) -> bool:
        waited_for = "learner" if self._held else "world"
        began = self._now()
        going_on = self.ears.wait(LONGEST_WAIT)
        self.waited[waited_for] += self._now() - began
        return going_on

    def _note(self) -> None:
        outbox = self.teacher.outbox
        self.ledger.note(outbox.made, outbox.resent, self.discarded)

    def _take_leave(self) -> None:
        """Have the last segments made durable, in bounded time."""
        deadline = self._now() + FAREWELL
        self.teacher.say_bye()
        while not self.teacher.outbox.is_settled and self._now() < deadline:
            self.ears.wait(LONGEST_WAIT)
            self.teacher.tend()
        self._note()
