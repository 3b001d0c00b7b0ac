"""Puts together what the processes say and what the worlds report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ssd_run.processes.history import History
from ssd_run.progress.episodes import Episodes
from ssd_run.progress.progress import AgentProgress, Progress, agents_of, waiting_of
from ssd_run.progress.scraper import Scraper
from ssd_run.progress.throughput import Throughput


class ProgressCollector:
    """Collects the progress of all of a run's processes. Never waits for one.

    Args:
        alive: Tells the roles of the processes that run.
        scraper: Knows what they said last.
        episodes: Follows what the worlds report.
        history: Knows who was started again.
        before: Where each learner stood when this launch began.
    """

    def __init__(
        self,
        alive: Callable[[], Sequence[str]],
        scraper: Scraper,
        episodes: Episodes,
        history: History,
        before: Sequence[AgentProgress],
    ) -> None:
        self._alive = alive
        self._scraper = scraper
        self._episodes = episodes
        self._history = history
        self._before = before
        self._began = time.monotonic()
        self.throughput = Throughput(before)

    @property
    def elapsed(self) -> float:
        """Seconds since this launch began."""
        return time.monotonic() - self._began

    def collect(self) -> Progress:
        """The run at this moment."""
        outcome = self._episodes.follow()
        heard = self._scraper.heard()
        agents = agents_of(heard, self._before, outcome)
        return Progress(
            elapsed=self.elapsed,
            agents=agents,
            outcome=outcome,
            episodes=self._episodes.ended,
            speed=self.throughput.note(self.elapsed, agents),
            waiting=waiting_of(heard),
            restarts=dict(self._history.restarts),
            silent=self._scraper.silent(self._alive()),
        )
