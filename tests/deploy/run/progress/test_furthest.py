import pytest

from ssd_run.progress.furthest import Furthest

MEASURED_BY = {
    "learner-0": "ssd_learner_own_steps_total",
    "env-0": "ssd_env_ticks_total",
    "actor-0-0": "ssd_actor_agent_steps_total",
}


class Scraped:
    """What processes said last, as the test has it."""

    def __init__(self, metrics):
        self._metrics = metrics

    def heard(self):
        return dict(self._metrics)


@pytest.fixture
def heard():
    return {}


@pytest.fixture
def furthest(heard):
    return Furthest(Scraped(heard))


def say(heard, role, born, steps):
    heard[role] = {"process_start_time_seconds": born, MEASURED_BY[role]: steps}


@pytest.mark.parametrize("role", MEASURED_BY)
def test_a_process_that_was_never_heard_made_no_progress(furthest, heard, role):
    assert not furthest.made_progress(role)
    say(heard, role, born=1.0, steps=100)
    assert furthest.made_progress(role)
    assert not furthest.made_progress(role)  # what the former one said is no progress of this one


@pytest.mark.parametrize("role", ["env-0", "actor-0-0"])
def test_an_environment_and_an_actor_that_did_a_step_made_progress(furthest, heard, role):
    for born, steps, made in [(1.0, 900, True), (2.0, 0, False), (3.0, 20, True)]:
        say(heard, role, born, steps)
        assert furthest.made_progress(role) == made


def test_a_learner_has_to_get_further_than_it_ever_was(furthest, heard):
    for born, own_steps, made in [(1.0, 900, True), (2.0, 800, False), (3.0, 901, True)]:
        say(heard, "learner-0", born, own_steps)
        assert furthest.made_progress("learner-0") == made
