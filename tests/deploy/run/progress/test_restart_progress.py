import pytest

from ssd_run.progress.restart_progress import RestartProgress

MEASURED_BY = {
    "learner-0": "ssd_learner_own_steps_total",
    "env-0": "ssd_env_ticks_total",
    "actor-0-0": "ssd_actor_agent_steps_total",
}


class Scraped:
    """What processes said last, as the test has it."""

    def __init__(self, metrics):
        self._metrics = metrics

    def latest(self):
        return dict(self._metrics)


@pytest.fixture
def latest():
    return {}


@pytest.fixture
def restart_progress(latest):
    return RestartProgress(Scraped(latest))


def say(latest, role, born, steps):
    latest[role] = {"process_start_time_seconds": born, MEASURED_BY[role]: steps}


@pytest.mark.parametrize("role", MEASURED_BY)
def test_a_process_that_was_never_heard_made_no_progress(restart_progress, latest, role):
    assert not restart_progress.made_progress(role)
    say(latest, role, born=1.0, steps=100)
    assert restart_progress.made_progress(role)
    assert not restart_progress.made_progress(
        role
    )  # what the former one said is no progress of this one


@pytest.mark.parametrize("role", ["env-0", "actor-0-0"])
def test_an_environment_and_an_actor_that_did_a_step_made_progress(restart_progress, latest, role):
    for born, steps, made in [(1.0, 900, True), (2.0, 0, False), (3.0, 20, True)]:
        say(latest, role, born, steps)
        assert restart_progress.made_progress(role) == made


def test_a_learner_has_to_get_further_than_it_ever_was(restart_progress, latest):
    for born, own_steps, made in [(1.0, 900, True), (2.0, 800, False), (3.0, 901, True)]:
        say(latest, "learner-0", born, own_steps)
        assert restart_progress.made_progress("learner-0") == made
