"""A job that trains, as its user sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.slurm.cluster import Cluster
from tests.until import until

SCRIPT = Path(__file__).parents[2] / "deploy" / "slurm" / "train.sbatch"
AGENTS = 3
SMALL = (
    *(f"game.agents={AGENTS}", "game.horizon=100", "run.games=4", "run.segment=20"),
    *("learning.horizon=40", "learning.checkpoint_seconds=2"),
)
OF_TEST = ("--cpus-per-task=8", "--time=10")  # smaller than what the script asks for


class Job:
    """A job of `deploy/slurm/train.sbatch`, submitted.

    Args:
        cluster: Where.
        run_dir: The run directory.
        arguments: The others of the script: preset and options.
        options: Of `sbatch`.
    """

    def __init__(
        self, cluster: Cluster, run_dir: Path, *arguments: str, options: tuple[str, ...] = ()
    ) -> None:
        self.run_dir = run_dir
        self._cluster = cluster
        output = f"--output={cluster.folder}/%j.log"
        command = ["sbatch", "--parsable", output, *OF_TEST, *options, SCRIPT, run_dir, *arguments]
        self.number = cluster.run(*command).strip()

    @property
    def log(self) -> str:
        """What it has printed so far."""
        path = self._cluster.folder / f"{self.number}.log"
        return path.read_text() if path.exists() else ""

    @property
    def state(self) -> str:
        """As Slurm names it: PENDING, RUNNING, COMPLETED, …"""
        return self._shown("JobState")

    @property
    def exit_code(self) -> str:
        """Of the script, and the signal that killed it: `0:0`."""
        return self._shown("ExitCode")

    @property
    def starts(self) -> int:
        """How often Slurm has started it."""
        return self.log.count(f"job {self.number}, start ")

    def until_it_trains(self, start: int = 1) -> None:
        """Wait until this start of the job has trained something and written checkpoints."""
        begun = own_steps(self.run_dir)
        until(lambda: self.starts >= start and own_steps(self.run_dir) > begun, seconds=90)

    def until_it_has_ended(self, seconds: float = 60) -> None:
        """Wait until Slurm has no process of it."""
        over = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"}
        until(lambda: self.state in over, seconds=seconds)

    def _shown(self, name: str) -> str:
        shown = self._cluster.run("scontrol", "show", "job", self.number)
        return re.search(rf"\b{name}=(\S+)", shown)[1]


def summary(run_dir: Path) -> dict[str, Any]:
    """The summary of a run that has ended."""
    return json.loads((run_dir / "summary.json").read_text())


def own_steps(run_dir: Path) -> int:
    """Own-steps in the last checkpoint of the agent that has trained least; 0 without any."""
    ledgers = (run_dir / "ledgers").glob("learner-*.json")
    return min((json.loads(path.read_text())["own_steps"] for path in ledgers), default=0)


def resumed_at(run_dir: Path) -> int:
    """Own-steps at which the learner that has trained least has begun at its last start."""
    logs = (run_dir / "logs").glob("learner-*.log")
    return min(int(re.findall(r"INFO at (\d+) own-steps", log.read_text())[-1]) for log in logs)
