"""Watching a run: puts together what the processes say and what the worlds report."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ssd_lab.episodes import Episodes
from ssd_lab.history import History
from ssd_lab.progress import Progress, Speed, agents_of, waiting_of
from ssd_lab.roster import Program
from ssd_lab.scrape import Scraper


class Watch:
    """Looks at all of a run's processes. Never waits for one.

    Args:
        programs: All processes.
        scraper: Knows what they said last.
        episodes: Follows what the worlds report.
        history: Knows who was started again.
        updates_before: Each learner's updates when this launch began.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        scraper: Scraper,
        episodes: Episodes,
        history: History,
        updates_before: Sequence[int],
    ) -> None:
        self._roles = [program.role for program in programs]
        self._scraper = scraper
        self._episodes = episodes
        self._history = history
        self._agents = len(updates_before)
        self._began = time.monotonic()
        self.speed = Speed(updates_before)

    @property
    def elapsed(self) -> float:
        """Seconds since this launch began."""
        return time.monotonic() - self._began

    def look(self) -> Progress:
        """The run at this moment."""
        outcome = self._episodes.follow()
        heard = self._scraper.heard()
        agents = agents_of(heard, self._agents, outcome)
        return Progress(
            elapsed=self.elapsed,
            agents=agents,
            outcome=outcome,
            episodes=self._episodes.ended,
            speed=self.speed.note(self.elapsed, agents),
            waiting=waiting_of(heard),
            restarts=dict(self._history.restarts),
            silent=self._scraper.silent(self._roles),
        )
