"""Whether a process makes progress between its deaths."""

from __future__ import annotations

from ssd_run.progress.scraper import Scraper

_COUNTERS = {
    "learner": "ssd_learner_own_steps",
    "env": "ssd_env_ticks_total",
    "actor": "ssd_actor_agent_steps_total",
}


class RestartProgress:
    """Compares the latest progress counter of a process with the one before its last death.

    A learner continues from its checkpoint, so its own-steps grow over all of its restarts. An
    environment and an actor count from 0 in each process.

    Args:
        scraper: Has the latest metrics of each process.
    """

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._own_steps: dict[str, float] = {}
        self._started: dict[str, float] = {}  # role → start time of its last process that died

    def made_progress(self, role: str) -> bool:
        """Whether a process that has died got further than the earlier ones of its role."""
        metrics = self._scraper.latest().get(role, {})
        started = metrics.get("process_start_time_seconds", 0.0)
        if started == self._started.get(role, 0.0):  # the one that has died was never scraped
            return False
        self._started[role] = started
        kind = role.partition("-")[0]
        reached = metrics.get(_COUNTERS[kind], 0.0)
        if kind != "learner":
            return reached > 0
        former = self._own_steps.get(role, 0.0)
        self._own_steps[role] = max(former, reached)
        return reached > former
