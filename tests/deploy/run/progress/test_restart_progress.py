import pytest

from ssd_run.progress.restart_progress import RestartProgress

COUNTERS = {
    "learner-0": "ssd_learner_own_steps",
    "env-0": "ssd_env_ticks_total",
    "actor-0-0": "ssd_actor_agent_steps_total",
}


class FakeScraper:
    """A fake scraper."""

    def __init__(self, metrics):
        self._metrics = metrics

    def latest(self):
        return dict(self._metrics)


@pytest.fixture
def latest():
    return {}


@pytest.fixture
def restart_progress(latest):
    return RestartProgress(FakeScraper(latest))


def report(latest, role, started, steps):
    latest[role] = {"process_start_time_seconds": started, COUNTERS[role]: steps}


@pytest.mark.parametrize("role", COUNTERS)
def test_a_process_without_metrics_made_no_progress(restart_progress, latest, role):
    assert not restart_progress.made_progress(role)
    report(latest, role, started=1.0, steps=100)
    assert restart_progress.made_progress(role)
    assert not restart_progress.made_progress(role)  # the metrics are those of the one before


@pytest.mark.parametrize("role", ["env-0", "actor-0-0"])
def test_an_environment_or_actor_that_did_a_step_made_progress(restart_progress, latest, role):
    for started, steps, made in [(1.0, 900, True), (2.0, 0, False), (3.0, 20, True)]:
        report(latest, role, started, steps)
        assert restart_progress.made_progress(role) == made


def test_a_learner_has_to_get_further_than_it_ever_was(restart_progress, latest):
    for started, own_steps, made in [(1.0, 900, True), (2.0, 800, False), (3.0, 901, True)]:
        report(latest, "learner-0", started, own_steps)
        assert restart_progress.made_progress("learner-0") == made
