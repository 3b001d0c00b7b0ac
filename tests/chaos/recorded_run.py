"""A real run of `ssd-train` with records, in a directory of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.evidence.recording import RECORDS
from tests.chaos.faults import FORK_SERVER

REPOSITORY = Path(__file__).parents[2]
LAUNCHER = "launcher"
AGENTS, ARENAS, LANES, GAMES, SEGMENT = 3, 2, 2, 4, 20
SETTINGS = {
    "game.agents": AGENTS,
    "game.horizon": 100,
    "run.lanes": LANES,
    "run.games": GAMES,
    "run.segment": SEGMENT,
    "learning.horizon": 2 * SEGMENT,
    "learning.checkpoint_seconds": 2,
}
DISK_MIB = 256  # of the run directory, where it is a file system of its own
ROLES = (
    *(f"learner-{agent}" for agent in range(AGENTS)),
    *(f"env-{arena}" for arena in range(ARENAS)),
    *(f"actor-{arena}-{agent}" for arena in range(ARENAS) for agent in range(AGENTS)),
)


class RecordedRun:
    """One launch with `ROLES`.

    Args:
        root: An empty directory.
        preset: To train.
        seed: Of the run.
        own_disk: Whether the run directory is on a file system of its own, which can be filled.

    Attributes:
        process: The launcher.
    """

    def __init__(self, root: Path, preset: str, seed: int, *, own_disk: bool) -> None:
        self.disk = root / "disk"
        self.dir = self.disk / "run"
        self.records = root / "records"
        self.log = root / "ssd-train.log"
        self.own_disk = own_disk
        self.disk.mkdir()
        self.records.mkdir()
        if own_disk:
            size = f"size={DISK_MIB}M"
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", self.disk], check=True)
        sets = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
        arguments = [preset, *sets, f"--arenas={ARENAS}", f"--seed={seed}", f"--run-dir={self.dir}"]
        path = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.evidence.recorded_train", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    **os.environ,
                    RECORDS: str(self.records),
                    "PYTHONPATH": os.pathsep.join(filter(None, path)),
                },
            )

    def pid(self, role: str) -> int | None:
        """The pid of a process that is up; None between a death and the end of the restart."""
        if role == LAUNCHER:
            return self.process.pid
        if role == FORK_SERVER:
            return self._fork_server()
        pid = self.entry(role).get("pid")
        return pid if pid in self._children() else None

    def entry(self, role: str) -> dict:
        """What a process has announced: its pid and addresses; empty while it is not up."""
        with suppress(OSError, ValueError):
            return json.loads((self.dir / "processes" / f"{role}.json").read_text())
        return {}

    def progress(self) -> dict[str, int]:
        """Counters that grow in health: durable segments of each agent, made ones of each arena."""
        found = dict.fromkeys((f"agent {agent}" for agent in range(AGENTS)), 0)
        found |= dict.fromkeys((f"arena {arena}" for arena in range(ARENAS)), 0)
        for path in (self.dir / "ledgers").glob("[al]*.json"):
            with suppress(OSError, ValueError):
                ledger = json.loads(path.read_text())
                if "made" in ledger:
                    found[f"arena {ledger['arena']}"] += ledger["made"]
                else:
                    found[f"agent {ledger['agent']}"] += ledger["segments"]["trained"]
        return found

    def own_steps(self) -> int:
        """Durable own-steps of all agents together."""
        durable = sum(n for name, n in self.progress().items() if name.startswith("agent"))
        return durable * SEGMENT * GAMES

    def wait_until_up(self, seconds: float = 180) -> None:
        """Wait until every agent has a checkpoint, and every arena has made segments.

        Raises:
            TimeoutError: it takes longer, or the run has ended.
        """
        deadline = time.monotonic() + seconds
        while not all(self.progress().values()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise TimeoutError(f"the run is not up:\n{self.log.read_text()}")
            time.sleep(0.2)

    def stop(self, seconds: float = 60) -> int | None:
        """Send Ctrl-C; returns the exit code, None if it takes longer."""
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def close(self) -> None:
        """Kill what is left, and unmount the disk. Copies of its files stay."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.own_disk:
            with suppress(OSError):  # of files that ending processes delete meanwhile
                shutil.copytree(self.dir, self.disk.with_name("run"))
            subprocess.run(["umount", "--lazy", self.disk], check=True)

    def _children(self) -> set[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        with suppress(OSError):
            return {int(word) for word in path.read_text().split()}
        return set()

    def _fork_server(self) -> int | None:
        for pid in self._children():
            with suppress(OSError):
                if b"ssd-fork-server" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        return None
