"""Combines metrics and episodes into the progress of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ssd_run.processes.history import History
from ssd_run.progress.episodes import Episodes
from ssd_run.progress.progress import (
    AgentProgress,
    Progress,
    agents_of,
    cannot_write_of,
    phase_of,
    waiting_of,
)
from ssd_run.progress.scraper import Scraper
from ssd_run.progress.throughput import Throughput

STARTING = 30.0  # seconds to load, before processes that do not answer are shown


class ProgressCollector:
    """Collects the progress of a run. Never waits for a process.

    Args:
        alive: Returns the roles of the running processes.
        scraper: Has their latest metrics.
        episodes: Reads the episodes that environments report.
        history: Has the counts of restarts.
        before: The progress of each learner when this launch began.
        elapsed_before: Seconds that earlier launches ran.

    Attributes:
        stopping: Whether processes are being stopped; then those that do not answer are not shown.
    """

    def __init__(
        self,
        alive: Callable[[], Sequence[str]],
        scraper: Scraper,
        episodes: Episodes,
        history: History,
        before: Sequence[AgentProgress],
        elapsed_before: float = 0.0,
    ) -> None:
        self._alive = alive
        self._scraper = scraper
        self._episodes = episodes
        self._history = history
        self._before = before
        self._elapsed_before = elapsed_before
        self.stopping = False
        self._began = time.monotonic()
        self.throughput = Throughput(before)

    @property
    def elapsed(self) -> float:
        """Seconds since this launch began."""
        return time.monotonic() - self._began

    def collect(self) -> Progress:
        """The progress now."""
        outcome = self._episodes.update()
        latest = self._scraper.latest()
        agents = agents_of(latest, self._before, outcome)
        running = self._alive()
        phase = "" if self.stopping else phase_of(running, latest, agents, self._before)
        may_be_silent = self.stopping or (phase and self.elapsed < STARTING)
        return Progress(
            elapsed=self._elapsed_before + self.elapsed,
            agents=agents,
            outcome=outcome,
            episodes=self._episodes.ended,
            speed=self.throughput.update(self.elapsed, agents),
            waiting=waiting_of(latest),
            restarts=dict(self._history.restarts),
            unresponsive=() if may_be_silent else self._scraper.unresponsive(running),
            cannot_write=cannot_write_of({r: m for r, m in latest.items() if r in running}),
            phase=phase,
        )
