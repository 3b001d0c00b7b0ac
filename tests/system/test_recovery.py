"""Any process may die or freeze at any time: the run recovers, and all segments are counted."""

import os
import signal
import time

import pytest
from tests.system.runs import is_running

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine

ROLES = ("actor-0-1", "learner-0", "env-0")


def test_a_killed_process_is_restarted_and_the_account_adds_up(start):
    run = start("harvest-moa")
    run.wait_until("a first checkpoint", lambda: run.steps() > 0)

    for role in ROLES:
        pid = run.pid(role)
        os.kill(pid, signal.SIGKILL)
        run.wait_until(f"{role} is back", lambda: run.pid(role) not in (pid, None))  # noqa: B023 - called here
        run.wait_for_progress()

    assert run.interrupt() == 0, run.output
    summary = run.summary
    assert summary["account_adds_up"], summary["account_faults"]
    assert summary["segments"]["missing"] == 0
    assert {role: summary["restarts"][role] for role in ROLES} == dict.fromkeys(ROLES, 1)


def test_a_frozen_process_only_delays_the_run(start):
    run = start("harvest-moa")
    run.wait_until("a first checkpoint", lambda: run.steps() > 0)

    for role in ROLES:
        os.kill(run.pid(role), signal.SIGSTOP)
        # Longer than peers retry, and for servers longer than clients wait before they reconnect.
        time.sleep(3 if role.startswith("actor") else 7)
        os.kill(run.pid(role), signal.SIGCONT)
        run.wait_for_progress()

    assert run.interrupt() == 0, run.output
    assert run.summary["account_adds_up"], run.summary["account_faults"]
    assert not any(run.summary["restarts"].values())


def test_nothing_outlives_a_killed_launcher(start):
    run = start("harvest-moa")
    run.wait_until("a first checkpoint", lambda: run.steps() > 0)
    roles = ("env-0", "actor-0-0", "actor-0-1", "learner-0", "learner-1")
    pids = [run.pid(role) for role in roles]

    run.process.kill()
    run.process.wait()

    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and any(is_running(pid) for pid in pids):
        time.sleep(0.1)
    assert not [role for role, pid in zip(roles, pids, strict=True) if is_running(pid)]
