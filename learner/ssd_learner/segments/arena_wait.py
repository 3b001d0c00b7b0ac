"""How long a learner that could train waits for other arenas' shares of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable

FRACTION = 0.25
MAX_SECONDS = 60.0


class ArenaWait:
    """Waits for a quarter of the time that the batch took until its first share was complete.

    An arena that is slower does not slow down the others more than that. After some faults, two
    learners' batches end at different steps of an arena's games, and arenas wait for each other in
    turn. Then a wait as long as the first share took would never end this, and halve the speed. A
    quarter ends it soon.

    Args:
        now: A clock in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._batch_began = now()
        self._ends: float | None = None

    def begin_batch(self) -> None:
        """All segments that have arrived are taken; those of the next batch may begin now."""
        self._batch_began, self._ends = self._now(), None

    def share_complete(self) -> None:
        """An arena has sent its share: the wait for the others begins, if it has not yet."""
        if self._ends is None:
            now = self._now()
            self._ends = now + min(FRACTION * (now - self._batch_began), MAX_SECONDS)

    def seconds_left(self) -> float:
        """Time that is left for the other shares, at least 0; infinite before the first one."""
        return math.inf if self._ends is None else max(0.0, self._ends - self._now())
