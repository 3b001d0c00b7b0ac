"""Whoever is asked to stop has ended cleanly within 10 s, with all segments durable."""

import json
import os
import signal
import time
from contextlib import suppress

import pytest
from tests.system.runs import is_running

from ssd_run.progress.scraper import fetch

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine

SECONDS = 10.0
ROLES = ("env-0", "actor-0-1", "learner-0")


def events(run, kind):
    """Starts, or ends, of processes so far."""
    with suppress(FileNotFoundError):
        lines = (run.dir / "history.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]
    return []


def stop_launcher(run):
    """Send SIGTERM to the launcher; returns its exit code."""
    run.process.send_signal(signal.SIGTERM)
    return run.process.wait(timeout=SECONDS)


def updates(run, role):
    """Updates of a learner so far, unfinished batches included; 0 while it is not up."""
    with suppress(OSError, ValueError, KeyError):
        return fetch(run.entry(role)["metrics"])["ssd_learner_weights_version"]
    return 0


def test_each_process_and_the_launcher_stop_in_time_and_lose_nothing(start):
    run = start("harvest-moa")
    run.wait_until("a first checkpoint", lambda: run.steps() > 0)

    for role in ROLES:
        pid = run.pid(role)
        os.kill(pid, signal.SIGTERM)
        run.wait_until(f"{role} to end", lambda: not is_running(pid), SECONDS)  # noqa: B023 - called here
        run.wait_until(f"{role} to be back", lambda: run.pid(role) not in (pid, None))  # noqa: B023 - the same
        run.wait_for_progress()

    assert stop_launcher(run) == 0, run.output
    assert {event["code"] for event in events(run, "end")} == {0}
    assert run.summary["account_adds_up"], run.summary["account_faults"]
    assert run.summary["segments"]["lost"] == 0


@pytest.fixture
def busy(start):
    """A run whose learners are in an update that would take many minutes."""
    run = start("harvest-moa", "--set", "learning.passes=100000")
    roles = ("learner-0", "learner-1")
    run.wait_until("both to train", lambda: all(updates(run, role) > 2 for role in roles))
    return run


def test_a_launcher_stops_in_time_during_long_updates_and_makes_them_durable(busy):
    assert stop_launcher(busy) == 0, busy.output

    assert {event["code"] for event in events(busy, "end")} == {0}
    segments = busy.summary["segments"]
    assert segments["made"] == segments["trained"] > 0


def test_a_learner_stops_in_time_during_a_long_update(busy):
    pid = busy.pid("learner-0")
    os.kill(pid, signal.SIGTERM)

    busy.wait_until("it to end", lambda: not is_running(pid), SECONDS)

    busy.wait_until("it to be counted", lambda: events(busy, "end"))
    assert [event["code"] for event in events(busy, "end")] == [0]
    assert json.loads((busy.dir / "ledgers" / "learner-0.json").read_text())["updates"] > 0
    assert stop_launcher(busy) == 0, busy.output


def test_a_launcher_stops_in_time_while_libraries_load(start):
    run = start("harvest-moa")
    run.wait_until("it to load", (run.dir / "logs" / "fork-server.log").exists)
    assert stop_launcher(run) == 0, run.output


def test_a_launcher_stops_in_time_while_processes_start(start):
    run = start("harvest-moa")
    run.wait_until("the first start", lambda: events(run, "start"))
    time.sleep(0.1)
    assert stop_launcher(run) == 0, run.output
