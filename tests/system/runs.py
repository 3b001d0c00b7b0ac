"""Whole runs of real processes, small enough for two cores."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
LOOPBACK = "tcp://127.0.0.1:0"
SMALL = (
    "game.agents=2",
    "game.horizon=100",
    "run.games=4",
    "run.segment=20",
    "learning.horizon=40",
    "learning.checkpoint_seconds=2",
)


def set_options(*settings: str) -> list[str]:
    """The words of a command line that change these settings."""
    return [word for value in settings for word in ("--set", value)]


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

    def entry(self, role: str) -> dict:
        """The pid and the addresses of a running process; empty between a death and the restart."""
        path = self.dir / "processes" / f"{role}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def pid(self, role: str) -> int | None:
        """The pid of a running process; None between a death and the restart."""
        return self.entry(role).get("pid")

    def steps(self) -> int:
        """Durable own-steps of all agents together."""
        ledgers = self.dir.glob("ledgers/learner-*.json")
        return sum(json.loads(path.read_text())["own_steps"] for path in ledgers)

    def wait_until(self, what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.process.poll() is None, f"ended before {what}:\n{self.output}"
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}\n{self.output}"
            time.sleep(0.1)

    def wait_for_progress(self) -> None:
        """Wait until more steps are durable."""
        before = self.steps()
        self.wait_until("more is durable", lambda: self.steps() > before + 2000)

    def interrupt(self) -> int:
        """Send Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def end(self) -> None:
        """Kill what a failed test has left."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class ManualRun:
    """A run whose processes are started one by one, over tcp."""

    def __init__(self, root: Path, preset: str, *sets: str) -> None:
        self.root = root
        self.dir = root / "run"
        self.run_file = root / "run.toml"
        self.address = LOOPBACK  # that servers bind
        self.keys: Path | None = None
        self.within: Sequence[str] = ()  # words before the command, such as those of `ip netns`
        self._preset = preset
        self._started: list[subprocess.Popen] = []
        self.print_run_file(self.run_file, *sets)

    def print_run_file(self, path: Path, *sets: str) -> None:
        command = [BIN / "ssd-train", self._preset, "--print", *set_options(*SMALL, *sets)]
        path.write_bytes(subprocess.check_output(command))

    def start(
        self, command: str, *arguments: object, run_file: Path | None = None
    ) -> subprocess.Popen:
        words = [
            *self.within,
            BIN / command,
            "--run",
            run_file or self.run_file,
            "--run-dir",
            self.dir,
        ]
        if self.keys is not None:
            words += ["--keys", self.keys]
        with (self.root / f"{command}.log").open("ab") as log:
            process = subprocess.Popen(
                [*words, *map(str, arguments)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._started.append(process)
        return process

    def env(self) -> subprocess.Popen:
        return self.start("ssd-env", "--arena", 0, "--bind", self.address)

    def learner(self, agent: int) -> subprocess.Popen:
        checkpoints = self.dir / "checkpoints" / f"agent-{agent}"
        return self.start(
            "ssd-learner",
            *("--agent", agent, "--bind", self.address, "--weights", self.address),
            *("--checkpoints", checkpoints),
        )

    def actor(self, agent: int, through: Callable[[str], str] = str, **options: Any):
        """Start an actor; `through` may replace the addresses that it connects to."""
        learner = self.entry(f"learner-{agent}")
        return self.start(
            "ssd-actor",
            *("--agent", agent, "--arena", 0, "--env", through(self.entry("env-0")["env"])),
            *("--learner", through(learner["segments"]), "--weights", through(learner["weights"])),
            **options,
        )

    def entry(self, role: str) -> dict:
        path = self.dir / "processes" / f"{role}.json"
        self.wait(f"{role} to be up", path.exists)
        return json.loads(path.read_text())

    def log(self, command: str) -> str:
        return (self.root / f"{command}.log").read_text()

    def ledger(self, agent: int) -> dict:
        path = self.dir / "ledgers" / f"learner-{agent}.json"
        return json.loads(path.read_text()) if path.exists() else {"updates": 0}

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
            time.sleep(0.1)

    def end(self) -> None:
        """Kill processes that a failed test has left."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()


def is_running(pid: int) -> bool:
    """Whether a process has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
