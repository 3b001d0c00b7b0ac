"""How far each process has got, so that one that gets nowhere between its deaths is known."""

from __future__ import annotations

from ssd_run.progress.scraper import Scraper

_MEASURED_BY = {
    "learner": "ssd_learner_own_steps_total",
    "env": "ssd_env_ticks_total",
    "actor": "ssd_actor_agent_steps_total",
}


class RestartProgress:
    """Compares what processes say of their progress with what they said before.

    A learner continues from its checkpoint, so its own-steps grow over all of its restarts. An
    environment and an actor count from 0 in each process.

    Args:
        scraper: Knows what each process said last.
    """

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._own_steps: dict[str, float] = {}
        self._born: dict[str, float] = {}  # when the last process of a role started that died

    def made_progress(self, role: str) -> bool:
        """Whether a process that has died got further than the one of its role before it."""
        said = self._scraper.latest().get(role, {})
        born = said.get("process_start_time_seconds", 0.0)
        if born == self._born.get(role, 0.0):  # the one that died now was never latest
            return False
        self._born[role] = born
        kind = role.partition("-")[0]
        reached = said.get(_MEASURED_BY[kind], 0.0)
        if kind != "learner":
            return reached > 0
        former = self._own_steps.get(role, 0.0)
        self._own_steps[role] = max(former, reached)
        return reached > former
