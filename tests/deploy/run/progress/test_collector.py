"""The progress that the collector shows of processes that start, run and stop."""

import pytest

from ssd_run.processes.history import History
from ssd_run.progress import collector
from ssd_run.progress.collector import ProgressCollector
from ssd_run.progress.episodes import Episodes
from ssd_run.progress.progress import AgentProgress

RUNNING = ("env-0", "actor-0-0", "learner-0")


class Scraper:
    """Has metrics of a learner; the other processes do not answer."""

    def __init__(self, updates):
        self.metrics = {"learner-0": {"ssd_learner_weights_version": updates}}

    def latest(self):
        return self.metrics

    def unresponsive(self, roles):
        return tuple(role for role in roles if role != "learner-0")


@pytest.fixture
def make(run_dir):
    def make(updates=1, elapsed_before=0.0, **metrics):
        scraper = Scraper(updates)
        for role, name in metrics.values():
            scraper.metrics.setdefault(role, {})[name] = 1.0
        return ProgressCollector(
            lambda: RUNNING,
            scraper,
            Episodes(run_dir.episodes, horizon=1000),
            History(run_dir.history, run_dir.ledgers),
            (AgentProgress(),),
            elapsed_before,
        )

    return make


def test_unresponsive_processes_are_named_during_training(make):
    assert make().collect().unresponsive == ("env-0", "actor-0-0")


def test_unresponsive_processes_are_not_named_while_they_are_stopped(make):
    stopped = make()
    stopped.stopping = True
    assert stopped.collect().unresponsive == ()
    assert stopped.collect().phase == ""


def test_unresponsive_processes_are_named_at_the_start_only_when_they_are_late(make, monkeypatch):
    starting = make(updates=0)
    assert starting.collect().unresponsive == ()
    assert starting.collect().phase == "starting: 1 of 3 processes are up"
    monkeypatch.setattr(collector, "STARTING", 0.0)
    assert starting.collect().unresponsive == ("env-0", "actor-0-0")


def test_elapsed_time_continues_from_the_launch_before(make):
    resumed = make(elapsed_before=3600.0)
    assert 3600 <= resumed.collect().elapsed < 3700
    assert resumed.elapsed < 100


def test_who_cannot_write_is_named_as_long_as_it_runs(make):
    full = make(
        learner=("learner-0", "ssd_learner_checkpoint_failing"),
        env=("env-0", "ssd_env_episode_log_failing"),
        gone=("env-1", "ssd_env_episode_log_failing"),
    )
    assert full.collect().cannot_write == ("env-0", "learner-0")
    assert make().collect().cannot_write == ()
