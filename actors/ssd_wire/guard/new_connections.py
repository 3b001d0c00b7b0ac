"""Refuses new connections at an endpoint for a while, after one of them had to be ended.

Otherwise its peer would connect again at once. Connections that exist are not touched. In between,
new ones are accepted for long enough that peers which have lost theirs get one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ssd_wire.guard.tcp import accept_connections

ACCEPTED_SECONDS = 1.0  # at least, between two pauses
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 8.0  # seconds; each pause is twice as long as the one before
CALM_SECONDS = 60.0  # after so long without a pause, the next one is a first one again


class NewConnections:
    """Whether one TCP endpoint accepts new connections.

    Args:
        port: Of the endpoint; None for one without TCP, which always accepts them.
        clock: Returns seconds.
        accept: Called with the port and whether it accepts connections from now on.
    """

    def __init__(
        self,
        port: int | None,
        clock: Callable[[], float] = time.monotonic,
        accept: Callable[..., None] = accept_connections,
    ) -> None:
        self._port = port
        self._clock = clock
        self._accept = accept
        self._pause = FIRST_PAUSE  # how long the next one lasts
        self._begins: float | None = None  # the next pause
        self._ends: float | None = None  # this pause
        self._last_end = float("-inf")

    @property
    def accepted(self) -> bool:
        """Whether there is no pause now."""
        return self._ends is None

    def pause(self) -> None:
        """Accept none for a while, as soon as they have been accepted for long enough."""
        if self._port is not None and self.accepted and self._begins is None:
            self._begins = max(self._clock(), self._last_end + ACCEPTED_SECONDS)
            self.update()

    def update(self) -> None:
        """Begin or end a pause if it is time to."""
        if self._begins is None and self._ends is None:
            return
        now = self._clock()
        if self._begins is not None and now >= self._begins:
            if now - self._last_end > CALM_SECONDS:
                self._pause = FIRST_PAUSE
            self._begins, self._ends = None, now + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._accept(self._port, accepted=False)
        elif self._ends is not None and now >= self._ends:
            self._ends, self._last_end = None, now
            self._accept(self._port, accepted=True)

    def bound_again(self) -> None:
        """The endpoint was bound again, and so accepts connections."""
        self._begins = self._ends = None
