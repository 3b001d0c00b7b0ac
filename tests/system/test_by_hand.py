"""The processes as a user starts them one by one, over tcp."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine

BIN = Path(sys.executable).parent
AGENTS = 2
LOOPBACK = "tcp://127.0.0.1:0"


@pytest.fixture
def hand(tmp_path, small):
    """Starts processes by hand; ends what a failed test leaves."""
    started: list[subprocess.Popen] = []

    class Hand:
        dir = tmp_path / "by-hand"
        run_file = tmp_path / "run.toml"

        def print_run_file(self, path: Path, *sets: str) -> None:
            words = [word for value in (*small, *sets) for word in ("--set", value)]
            command = [BIN / "ssd-train", "harvest-moa", "--print", *words]
            path.write_bytes(subprocess.check_output(command))

        def start(self, command: str, *arguments: object, run: Path | None = None):
            words = [BIN / command, "--run", run or self.run_file, "--run-dir", self.dir]
            with (tmp_path / f"{command}.log").open("ab") as log:
                process = subprocess.Popen(
                    [*words, *map(str, arguments)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            started.append(process)
            return process

        def entry(self, role: str) -> dict:
            path = self.dir / "processes" / f"{role}.json"
            _wait(f"{role} to be up", path.exists)
            return json.loads(path.read_text())

        def actor(self, agent: int, **options: object):
            learner = self.entry(f"learner-{agent}")
            return self.start(
                "ssd-actor",
                *("--agent", agent, "--arena", 0, "--world", self.entry("env-0")["world"]),
                *("--learner", learner["segments"], "--weights", learner["weights"]),
                **options,
            )

        def learner(self, agent: int):
            checkpoints = self.dir / "checkpoints" / f"agent-{agent}"
            return self.start(
                "ssd-learner",
                *("--agent", agent, "--bind", LOOPBACK, "--weights", LOOPBACK),
                *("--checkpoints", checkpoints),
            )

        def ledger(self, agent: int) -> dict:
            path = self.dir / "ledgers" / f"learner-{agent}.json"
            return json.loads(path.read_text()) if path.exists() else {"updates": 0}

    one = Hand()
    one.print_run_file(one.run_file)
    yield one
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_processes_started_by_hand_over_tcp_train_together_and_stop_cleanly(hand):
    world = hand.start("ssd-env", "--arena", 0, "--bind", LOOPBACK)
    learners = [hand.learner(agent) for agent in range(AGENTS)]
    actors = [hand.actor(agent) for agent in range(AGENTS)]

    _wait("updates", lambda: all(hand.ledger(agent)["updates"] > 5 for agent in range(AGENTS)))

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
    hand.start("ssd-env", "--arena", 0, "--bind", LOOPBACK)
    hand.learner(0)

    actor = hand.actor(0, run=other)

    assert actor.wait(timeout=60) == 78
    assert "fingerprint" in (tmp_path / "ssd-actor.log").read_text()


def _wait(what, holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.1)
