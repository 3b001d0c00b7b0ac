"""The processes as a user starts them one by one, over tcp."""

import json
import signal

import pytest

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine

AGENTS = 2


@pytest.fixture
def hand(by_hand):
    return by_hand("harvest-moa")


def test_processes_started_by_hand_over_tcp_train_together_and_stop_cleanly(hand):
    world = hand.world()
    learners = [hand.learner(agent) for agent in range(AGENTS)]
    actors = [hand.actor(agent) for agent in range(AGENTS)]

    hand.wait("updates", lambda: all(hand.ledger(agent)["updates"] > 5 for agent in range(AGENTS)))

    for group in (actors, learners, [world]):
        for process in group:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(timeout=30) for process in group] == [0] * len(group)
    made = [json.loads(path.read_text())["made"] for path in hand.dir.glob("ledgers/actor-*.json")]
    trained = [hand.ledger(agent)["segments"]["trained"] for agent in range(AGENTS)]
    assert sum(made) == sum(trained) > 0


def test_an_actor_of_another_run_is_refused_with_both_fingerprints(hand, tmp_path):
    other = tmp_path / "other.toml"
    hand.print_run_file(other, "game.horizon=200")
    hand.world()
    hand.learner(0)

    actor = hand.actor(0, run=other)

    assert actor.wait(timeout=60) == 78
    assert "fingerprint" in (tmp_path / "ssd-actor.log").read_text()
