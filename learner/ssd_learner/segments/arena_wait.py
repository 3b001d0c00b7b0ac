"""How long a learner that could train waits for the other arenas' shares of the batch."""

from __future__ import annotations

from collections.abc import Callable

MAX_SECONDS = 60.0


class ArenaWait:
    """Measures how long the first share of a batch took, and waits as long again for the others.

    So the slowest arena may take twice as long as the fastest, and one that has ended delays one
    batch. Where batches take longer than a minute, or arenas come back after a long time, the
    limit is `MAX_SECONDS`.

    Args:
        now: A clock in seconds.

    Attributes:
        expired: Batches for which the limit passed.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.expired = 0
        self._now = now
        self._batch_began = now()
        self._share_came: float | None = None

    def seconds_left(self) -> float:
        """Time that is left for the other shares; at least 0. The first call notes the time."""
        now = self._now()
        if self._share_came is None:
            self._share_came = now
        limit = min(self._share_came - self._batch_began, MAX_SECONDS)
        return max(0.0, self._share_came + limit - now)

    def begin_batch(self) -> None:
        """The segments that have arrived are taken; those of the next batch may begin now."""
        if self._share_came is not None:
            self.expired += not self.seconds_left()
        self._share_came = None
        self._batch_began = self._now()
