"""The processes as a user starts them one by one, over tcp: the wrong ones together.

Those that belong together are in test_privacy.py, which reads along.
"""

import pytest

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
