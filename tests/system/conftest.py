"""Whole runs of real processes, small enough for two cores."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SMALL = (
    "game.agents=2",
    "game.horizon=100",
    "run.games=4",
    "run.segment=20",
    "learning.checkpoint_seconds=2",
)


class Run:
    """One launch of `ssd-train` in a run directory of its own."""

    def __init__(self, run_dir: Path, *arguments: str) -> None:
        self.dir = run_dir
        self._log = run_dir.with_suffix(".log")
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "ssd-train", *arguments, "--run-dir", run_dir],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def summary(self) -> dict:
        return json.loads((self.dir / "summary.json").read_text())

    def pid(self, role: str) -> int | None:
        """Of a process that is up, and None between a death and the next start."""
        entry = self.dir / "processes" / f"{role}.json"
        return json.loads(entry.read_text())["pid"] if entry.exists() else None

    def steps(self) -> int:
        """Own-steps that are durable, of all agents."""
        ledgers = self.dir.glob("ledgers/learner-*.json")
        return sum(json.loads(path.read_text())["own_steps"] for path in ledgers)

    def wait_until(self, what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"ended before {what}:\n{self.output}"
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}\n{self.output}"
            time.sleep(0.1)

    def wait_for_progress(self) -> None:
        """Until every agent has durably learned from something new."""
        before = self.steps()
        self.wait_until("more is durable", lambda: self.steps() > before + 2000)

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


@pytest.fixture
def small() -> tuple[str, ...]:
    """Settings of a run of two agents that is soon trained."""
    return SMALL


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs with small settings; ends what a failed test leaves."""
    runs: list[Run] = []

    def start_one(*arguments: str, run_dir: str = "run", small: bool = True) -> Run:
        sets = [word for value in SMALL if small for word in ("--set", value)]
        first, *others = arguments  # whose own settings come after ours, and count
        runs.append(Run(tmp_path / run_dir, first, *sets, *others))
        return runs[-1]

    yield start_one
    for run in runs:
        if run.process.poll() is None:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
