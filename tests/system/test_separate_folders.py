"""A run whose pods write into folders of their own, as on a cluster: the folders fit into one."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ssd_lab.evaluation.play import load_agents, load_game, play
from ssd_lab.plots.curves import main as curves
from ssd_run.check_account import main as check_account
from ssd_run.progress.scraper import fetch

AGENTS = ARENAS = 2
OWN_STEPS = 4_000

pytestmark = pytest.mark.timeout(300)  # processes start slowly on a busy machine


class Pods:
    """Processes in groups, each with its own run directory.

    Args:
        run: Of the processes.
        sockets: A folder with a short path.
    """

    def __init__(self, run, sockets):
        self.run = run
        self.folders = run.root / "pods"
        self._sockets = sockets

    def learner(self, agent):
        """Start a pod of a learner; returns its processes."""
        self.run.dir = self.folders / f"learner-{agent}"
        ends = ("--bind", self._at(f"segments-{agent}"), "--weights", self._at(f"weights-{agent}"))
        checkpoints = self.run.dir / "checkpoints" / f"agent-{agent}"
        budget = ("--checkpoints", checkpoints, "--own-steps", OWN_STEPS)
        return [self.run.start("ssd-learner", "--agent", agent, *ends, *budget)]

    def arena(self, arena):
        """Start a pod of an arena; returns its processes, the environment last."""
        self.run.dir = self.folders / f"arena-{arena}"
        at = self._at(f"env-{arena}")
        env = self.run.start("ssd-env", "--arena", arena, "--bind", at)
        actors = [
            self.run.start(
                "ssd-actor",
                *("--arena", arena, "--agent", agent, "--env", at),
                *("--learner", self._at(f"segments-{agent}")),
                *("--weights", self._at(f"weights-{agent}")),
            )
            for agent in range(AGENTS)
        ]
        return [*actors, env]

    def is_complete(self):
        """Whether all arenas say that the run is complete."""
        entries = [self.folders / f"arena-{k}/processes/env-{k}.json" for k in range(ARENAS)]
        if not all(path.exists() for path in entries):
            return False
        addresses = [json.loads(path.read_text())["metrics"] for path in entries]
        return all(fetch(address)["ssd_run_complete"] == 1 for address in addresses)

    def _at(self, name):
        return f"ipc://{self._sockets}/{name}"


@pytest.fixture(scope="module")
def pods(manual_run):
    """Pods that have ended, after a complete run."""
    with tempfile.TemporaryDirectory(prefix="ssd-", dir="/tmp") as sockets:
        run = manual_run("harvest-moa", "game.horizon=20")
        pods = Pods(run, sockets)
        learners = [process for agent in range(AGENTS) for process in pods.learner(agent)]
        arenas = [process for arena in range(ARENAS) for process in pods.arena(arena)]
        run.wait("all learners to be complete", pods.is_complete)
        for group in (arenas, learners):
            for process in group:
                process.terminate()
            assert [process.wait(timeout=60) for process in group] == [0] * len(group)
        return pods


@pytest.fixture(scope="module")
def merged(pods):
    """One folder with the files of all pods, and the run file."""
    folder = pods.run.root / "merged"
    for pod in sorted(pods.folders.iterdir()):
        shutil.copytree(pod, folder, dirs_exist_ok=True)
    shutil.copy(pods.run.run_file, folder / "run.toml")
    return folder


def test_no_two_pods_write_a_file_of_the_same_name(pods):
    names = [
        str(path.relative_to(pod))
        for pod in pods.folders.iterdir()
        for path in pod.rglob("*")
        if path.is_file()
    ]
    assert len(set(names)) == len(names) > 0


def test_the_account_of_the_merged_folder_adds_up_and_nothing_is_lost(merged):
    result = CliRunner().invoke(check_account, [str(merged)])
    assert result.exit_code == 0, result.output
    assert " + 0 lost: the account adds up" in result.output


def test_a_folder_without_the_files_of_one_pod_does_not_add_up(pods, merged, tmp_path):
    partial = tmp_path / "partial"
    shutil.copytree(merged, partial)
    for path in (pods.folders / "arena-1" / "ledgers").iterdir():
        (partial / "ledgers" / path.name).unlink()
    result = CliRunner().invoke(check_account, [str(partial)])
    assert result.exit_code == 1
    assert "segments that no actor made" in result.output


def test_curves_of_the_merged_folder_are_drawn(merged, tmp_path):
    picture = tmp_path / "curves.png"
    result = CliRunner().invoke(curves, [str(merged), "--png", str(picture)])
    assert result.exit_code == 0, result.output
    assert "harvest-moa, seed 1: last window" in result.output
    assert picture.stat().st_size > 0


def test_the_trained_agents_of_the_merged_folder_play(merged):
    returns = play(load_agents(merged, games=2), load_game(merged), np.arange(2, dtype=np.uint64))
    assert returns.shape == (2, AGENTS)


def test_every_arena_has_its_own_episodes(merged):
    for arena in range(ARENAS):
        lines = Path(merged, "episodes", f"arena-{arena}.jsonl").read_text().splitlines()
        assert {json.loads(line)["arena"] for line in lines} == {arena}
