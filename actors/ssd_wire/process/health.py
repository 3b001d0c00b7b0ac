"""Whether a process works: what the probes of Kubernetes, or of any supervisor, ask.

`/healthz` fails if the process hangs: its main loop has not run for long, and a restart helps.
`/readyz` also fails if the process has done no work for a while. It may only be waiting for others,
so a restart would not help; but it shows where a run is stuck.
"""

from __future__ import annotations

import time
from collections.abc import Callable

HANG_SECONDS = 60.0  # a main loop runs once a second, and between two steps of an update
PROGRESS_SECONDS = 120.0


class Health:
    """Watches one process. It is asked from the threads that serve HTTP.

    Args:
        looped_at: When the main loop last ran, in seconds of `clock`.
        work_done: A number that grows with the work that this process does.
        is_finished: Whether there is no more work to do.
        clock: Returns seconds.
    """

    def __init__(
        self,
        looped_at: Callable[[], float],
        work_done: Callable[[], float],
        is_finished: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._looped_at = looped_at
        self._work_done = work_done
        self._is_finished = is_finished
        self._clock = clock
        self._seen = 0.0  # work done by the last time somebody asked
        self._seen_at = -PROGRESS_SECONDS  # when it had last grown

    def fault(self, path: str) -> str | None:
        """What is wrong; None if nothing is.

        Args:
            path: ``/healthz`` or ``/readyz``.
        """
        return self.hanging() or (self.stuck() if path == "/readyz" else None)

    def hanging(self) -> str | None:
        """Why this process should be restarted."""
        seconds = self._clock() - self._looped_at()
        if seconds < HANG_SECONDS:
            return None
        return f"the main loop has not run for {seconds:.0f} seconds"

    def stuck(self) -> str | None:
        """Why this process does not count as ready."""
        now, done = self._clock(), self._work_done()
        if done > self._seen or self._is_finished():
            self._seen, self._seen_at = done, now
        if now - self._seen_at < PROGRESS_SECONDS:
            return None
        return f"no work was done in the last {PROGRESS_SECONDS:.0f} seconds"
