"""The processes as a user starts them one by one, over tcp: the wrong ones together.

Those that belong together are in test_privacy.py, which reads along.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


def test_an_actor_of_another_run_is_refused_with_both_fingerprints(by_hand):
    hand = by_hand("harvest-moa")
    other = hand.root / "other.toml"
    hand.print_run_file(other, "game.horizon=200")
    hand.world()
    hand.learner(0)

    actor = hand.actor(0, run=other)

    assert actor.wait(timeout=60) == 78
    assert "fingerprint" in (hand.root / "ssd-actor.log").read_text()


def test_with_keys_processes_train_over_open_addresses_and_let_no_stranger_in(by_hand):
    hand = by_hand("harvest-moa")
    hand.address = "tcp://0.0.0.0:0"
    hand.keys, strangers = hand.root / "keys", hand.root / "strangers-keys"
    for folder in (hand.keys, strangers):
        subprocess.run([BIN / "ssd-keys", folder, "--agents", "2"], check=True)
    (strangers / "public.toml").write_bytes(swapped(hand.keys, strangers, "actor-1"))
    hand.world()
    learners = [hand.learner(agent) for agent in range(2)]
    hand.actor(0)
    own_keys, hand.keys = hand.keys, strangers
    stranger = hand.actor(1)
    hand.wait("the stranger to be refused", lambda: "refused a connection" in hand.log("ssd-env"))
    stranger.kill()

    hand.keys = own_keys
    hand.actor(1)

    hand.wait("both to learn", lambda: all(hand.ledger(agent)["updates"] for agent in range(2)))
    for learner in learners:
        learner.terminate()
        assert learner.wait(timeout=60) == 0


def swapped(keys, strangers, name):
    """The public keys of a run, but for one identity a stranger's."""
    ours, theirs = (tomllib.loads((f / "public.toml").read_text()) for f in (keys, strangers))
    return "".join(
        f"{n} = '{theirs[n] if n == name else key}'\n" for n, key in ours.items()
    ).encode()
