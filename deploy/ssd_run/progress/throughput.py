"""The speed of training: at the moment, and over the steady part of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from ssd_run.progress.progress import AgentProgress

UPDATES = 4  # at least so many between the ends of the window for the current speed
SHORTEST, LONGEST = 10.0, 60.0  # seconds of that window; longer only for slow updates
STILL = 60.0  # seconds beyond the longest time between two updates, after which the speed is 0

Moment = tuple[float, int]


class LearnerSpeed:
    """The current speed of one learner.

    It trains a batch at a time, and a large batch takes seconds. So its speed is measured between
    two moments at which its own-steps grew, with several updates between them.
    """

    def __init__(self) -> None:
        self._moments: deque[Moment] = deque()  # when own-steps grew, and their sum so far
        self._own_steps: int | None = None
        self._trained = 0

    def update(self, now: float, own_steps: int) -> None:
        """Add the current own-steps. Own-steps that a restart takes back still count as trained."""
        if self._own_steps is not None and own_steps > self._own_steps:
            self._trained += own_steps - self._own_steps
            self._moments.append((now, self._trained))
            self._forget()
        self._own_steps = own_steps

    def speed(self, now: float) -> float | None:
        """Own-steps per second; None before two updates, 0 if there were none for a long time."""
        if len(self._moments) < 2:
            return None
        (begin, before), (end, after) = self._moments[0], self._moments[-1]
        wait = max(later - time for (time, _), (later, _) in pairwise(self._moments))
        late = max(0.0, now - end - wait)
        return 0.0 if late > STILL else (after - before) / (end + late - begin)

    def _forget(self) -> None:
        """Drop moments that a long enough window does not need."""
        while len(self._moments) > 2:
            left = self._moments[-1][0] - self._moments[1][0]
            enough = len(self._moments) - 2 >= UPDATES and left >= SHORTEST
            if not enough and left < LONGEST:
                return
            self._moments.popleft()


class Throughput:
    """Agent-steps per second: at the moment, and over the steady part of the run.

    The steady part begins when every learner has trained a batch in this launch, and ends with the
    last batch before the first of them has trained all of its steps.

    Args:
        before: The progress of each learner when this launch began.
    """

    def __init__(self, before: Sequence[AgentProgress]) -> None:
        self._before = before
        self._learners = [LearnerSpeed() for _ in before]
        self._first: Moment | None = None
        self._last: Moment | None = None

    def update(self, now: float, agents: Sequence[AgentProgress]) -> float | None:
        """Add the current progress of all learners.

        Args:
            now: By a monotonic clock, in seconds.
            agents: The progress of each learner.

        Returns:
            The current speed; None until every learner that still trains has made two updates.
        """
        current = (now, sum(agent.own_steps for agent in agents))
        both = zip(agents, self._before, strict=True)
        started = all(agent.own_steps > was.own_steps for agent, was in both)
        if started and not any(agent.complete for agent in agents):
            self._first = self._first or current
            if self._last is None or self._last[1] != current[1]:
                self._last = current
        for learner, agent in zip(self._learners, agents, strict=True):
            learner.update(now, agent.own_steps)
        speeds = [learner.speed(now) for learner in self._learners]
        if any(s is None and not a.complete for s, a in zip(speeds, agents, strict=True)):
            return None
        return sum(speed or 0.0 for speed in speeds)

    @property
    def steady(self) -> float | None:
        """Agent-steps per second over the steady part; None if there was none."""
        if self._first is None or self._last is None or self._last[0] <= self._first[0]:
            return None
        (begin, before), (end, after) = self._first, self._last
        return max(0.0, (after - before) / (end - begin))
