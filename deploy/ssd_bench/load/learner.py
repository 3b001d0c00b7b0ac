"""The learner that is put under load: one that runs already, or one started for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ssd_run.plan import Plan
from ssd_wire.errors import RunFileError
from ssd_wire.process import write_whole

PATIENCE = 60.0  # seconds for a learner to be up, or to stop


@dataclass(frozen=True)
class Target:
    """A learner that is up.

    Attributes:
        run_dir: Where it keeps its ledger.
        pid: Its process.
        segments, weights: Its endpoints.
        metrics: Host and port of its metrics.
    """

    run_dir: Path
    pid: int
    segments: str
    weights: str
    metrics: str

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def running(run_dir: Path, agent: int) -> Target:
    """The learner of an agent that has announced itself in a run directory.

    Raises:
        RunFileError: when none has.
    """
    path = run_dir / "processes" / f"learner-{agent}.json"
    try:
        entry = json.loads(path.read_text())
        addresses = [str(entry[key]) for key in ("segments", "weights", "metrics")]
        return Target(run_dir, int(entry["pid"]), *addresses)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise RunFileError(f"{path}: wanted a running learner's entry, found {fault!r}") from fault


@contextmanager
def started(plan: Plan, agent: int, folder: Path, module: str) -> Iterator[Target]:
    """Start a learner in a run directory of its own, and stop it at the end.

    Args:
        plan: The run file.
        agent: Whom it trains.
        folder: A short private directory for its sockets and records.
        module: What to run: `ssd_learner.cli`, or `ssd_bench.load.ingest`.

    Raises:
        RunFileError: when it does not come up; says what it had to say.
    """
    write_whole(folder / "run.toml", plan.toml())
    log = folder / "learner.log"
    lifeline, held_open = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", module, *_options(agent, folder), f"--lifeline={lifeline}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lifeline,),
            env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
    os.close(lifeline)
    try:
        yield _up(process, folder, agent, log)
    finally:
        os.close(held_open)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _options(agent: int, folder: Path) -> list[str]:
    return [
        f"--run={folder / 'run.toml'}",
        f"--run-dir={folder}",
        f"--agent={agent}",
        f"--bind=ipc://{folder}/segments",
        f"--weights=ipc://{folder}/weights",
        f"--checkpoints={folder / 'checkpoints'}",
    ]


def _up(process: subprocess.Popen[bytes], folder: Path, agent: int, log: Path) -> Target:
    deadline = time.monotonic() + PATIENCE
    entry = folder / "processes" / f"learner-{agent}.json"
    while not entry.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip()
            raise RunFileError(f"the learner did not come up; it says: {words}")
        time.sleep(0.05)
    return running(folder, agent)
