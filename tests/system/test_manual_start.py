"""Processes that a user starts one by one over tcp, and that do not belong together.

Processes of one run are in test_privacy.py.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ssd_run.progress.scraper import fetch

BIN = Path(sys.executable).parent

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


def test_an_actor_of_another_run_is_refused_with_both_fingerprints(manual_run):
    run = manual_run("harvest-moa")
    other = run.root / "other.toml"
    run.print_run_file(other, "game.horizon=200")
    run.env()
    run.learner(0)

    actor = run.actor(0, run_file=other)

    assert actor.wait(timeout=60) == 78
    assert "fingerprint" in (run.root / "ssd-actor.log").read_text()


def test_with_keys_processes_train_over_open_addresses_and_refuse_unknown_keys(manual_run):
    run = manual_run("harvest-moa")
    run.address = "tcp://0.0.0.0:0"
    run.keys, unknown = run.root / "keys", run.root / "unknown-keys"
    for folder in (run.keys, unknown):
        subprocess.run([BIN / "ssd-keys", folder, "--agents", "2"], check=True)
    (unknown / "public.toml").write_bytes(swapped(run.keys, unknown, "actor-1"))
    run.env()
    learners = [run.learner(agent) for agent in range(2)]
    run.actor(0)
    own_keys, run.keys = run.keys, unknown
    intruder = run.actor(1)
    run.wait("the unknown key to be refused", lambda: "refused a connection" in run.log("ssd-env"))
    intruder.kill()
    for role, process in (("env-0", "env"), ("learner-1", "learner")):
        counts = fetch(run.entry(role)["metrics"])
        assert counts[f"ssd_{process}_refused_connections_total"] > 0

    run.keys = own_keys
    run.actor(1)

    run.wait("both to learn", lambda: all(run.ledger(agent)["updates"] for agent in range(2)))
    for learner in learners:
        learner.terminate()
        assert learner.wait(timeout=60) == 0


def swapped(keys, unknown, name):
    """The public keys of a run, but one identity's from another set."""
    ours, theirs = (tomllib.loads((f / "public.toml").read_text()) for f in (keys, unknown))
    return "".join(
        f"{n} = '{theirs[n] if n == name else key}'\n" for n, key in ours.items()
    ).encode()
