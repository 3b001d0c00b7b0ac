"""How fast a run trains: just now, and over its steady part."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from ssd_run.progress.progress import AgentProgress

UPDATES = 4  # between the ends of the present speed's window, at least
SHORTEST, LONGEST = 10.0, 60.0  # seconds of that window; only slow updates make it a longer one
STILL = 60.0  # seconds beyond the longest between two updates after which a learner stands still

Moment = tuple[float, int]


class LearnerSpeed:
    """How fast one learner trains just now.

    It trains a batch at a time, and a large one takes seconds. So its pace is taken between two
    moments at which own-steps were added, with several updates between them.
    """

    def __init__(self) -> None:
        self._moments: deque[Moment] = deque()  # when own-steps were added, and the sum so far
        self._own_steps: int | None = None
        self._trained = 0

    def update(self, now: float, own_steps: int) -> None:
        """Take in where the learner is. What a restart takes back has been trained all the same."""
        if self._own_steps is not None and own_steps > self._own_steps:
            self._trained += own_steps - self._own_steps
            self._moments.append((now, self._trained))
            self._forget()
        self._own_steps = own_steps

    def at(self, now: float) -> float | None:
        """Own-steps per second; None before two updates, 0 when there were none for long."""
        if len(self._moments) < 2:
            return None
        (begin, before), (end, after) = self._moments[0], self._moments[-1]
        wait = max(later - time for (time, _), (later, _) in pairwise(self._moments))
        late = max(0.0, now - end - wait)
        return 0.0 if late > STILL else (after - before) / (end + late - begin)

    def _forget(self) -> None:
        """Drop what is not needed for a window that is long enough."""
        while len(self._moments) > 2:
            left = self._moments[-1][0] - self._moments[1][0]
            enough = len(self._moments) - 2 >= UPDATES and left >= SHORTEST
            if not enough and left < LONGEST:
                return
            self._moments.popleft()


class Throughput:
    """Agent-steps per second: just now, and over the steady part of the run.

    The steady part begins when every learner has trained a batch in this launch, and ends with the
    last batch before the first of them has met its budget: starting up and running out are no
    measure of speed.

    Args:
        before: Where each learner stood when this launch began.
    """

    def __init__(self, before: Sequence[AgentProgress]) -> None:
        self._before = before
        self._learners = [LearnerSpeed() for _ in before]
        self._first: Moment | None = None
        self._last: Moment | None = None

    def update(self, now: float, agents: Sequence[AgentProgress]) -> float | None:
        """Take in where the learners are; tells the present speed.

        Args:
            now: Seconds that only grow.
            agents: All learners.

        Returns:
            None until every learner that still trains has made two updates.
        """
        here = (now, sum(agent.own_steps for agent in agents))
        both = zip(agents, self._before, strict=True)
        started = all(agent.own_steps > was.own_steps for agent, was in both)
        if started and not any(agent.complete for agent in agents):
            self._first = self._first or here
            if self._last is None or self._last[1] != here[1]:
                self._last = here
        for pace, agent in zip(self._learners, agents, strict=True):
            pace.update(now, agent.own_steps)
        speeds = [pace.at(now) for pace in self._learners]
        if any(s is None and not a.complete for s, a in zip(speeds, agents, strict=True)):
            return None
        return sum(speed or 0.0 for speed in speeds)

    @property
    def steady(self) -> float | None:
        """Agent-steps per second over the steady part; None when there was none."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            return None
        (begin, before), (end, after) = self._first, self._last
        return max(0.0, (after - before) / (end - begin))
