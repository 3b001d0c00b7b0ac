"""A run of `ssd-train` as a child of ours, and what its learners say of themselves."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ssd_run.plan import Plan, validate
from ssd_run.presets import load_preset
from ssd_run.progress.scraper import fetch
from ssd_wire.runfile import override

START = 180.0  # seconds within which every learner has made an update
STOP = 60.0  # seconds within which a run has stopped
TAIL = 3000  # characters of what a run has printed, where it went wrong


@dataclass(frozen=True)
class RunRequest:
    """What to run: a preset, or the path of a file, and assignments as `ssd-train --set` takes."""

    preset: str
    assignments: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """What they say."""
        return validate(override(load_preset(self.preset), self.assignments))


@dataclass(frozen=True)
class TrainingRun:
    """A run seen from outside."""

    process: subprocess.Popen[str]  # its `ssd-train`
    run_dir: Path
    agents: int
    began: float  # by `time.monotonic`

    @property
    def elapsed(self) -> float:
        """Seconds since the launch."""
        return time.monotonic() - self.began

    def pids(self) -> dict[str, int]:
        """Role → pid of all processes that have said that they are up."""
        return {role: entry["pid"] for role, entry in self._entries()}

    def trained(self) -> tuple[Sequence[float], Sequence[float]] | None:
        """Own-steps and updates of all learners now; None if one of them is silent.

        Raises:
            click.ClickException: when the run has ended by itself.
        """
        if self.process.poll() is not None:
            output, _ = self.process.communicate()
            raise click.ClickException(f"ssd-train has ended by itself:\n{output[-TAIL:]}")
        learners = [entry for role, entry in self._entries() if role.startswith("learner-")]
        try:
            said = [fetch(entry["metrics"]) for entry in learners]
        except OSError:  # not serving yet, or too busy to answer in time
            return None
        names = "ssd_learner_own_steps_total", "ssd_learner_updates_total"
        own_steps, updates = ([one[name] for one in said] for name in names)
        return (own_steps, updates) if len(said) == self.agents else None

    def wait_for_first_updates(self) -> float:
        """Return when every learner has made one; seconds since the launch.

        Raises:
            click.ClickException: when that takes too long, or the run has ended by itself.
        """
        while self.elapsed < START:
            if (said := self.trained()) is not None and min(said[1]) > 0:
                return self.elapsed
            time.sleep(0.2)
        raise click.ClickException(f"no update of every learner within {START:.0f} s")

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted((self.run_dir / "processes").glob("*.json")):
            yield path.stem, json.loads(path.read_text())


@contextmanager
def training_run(request: RunRequest, say: Callable[[str], None]) -> Iterator[TrainingRun]:
    """A run in a folder of its own, until this context ends; if we are killed, it soon dies."""
    with tempfile.TemporaryDirectory(prefix="ssd-bench-", ignore_cleanup_errors=True) as folder:
        run_dir = Path(folder) / "run"
        sets = [f"--set={assignment}" for assignment in request.assignments]
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "ssd_run.cli", request.preset, *sets, f"--run-dir={run_dir}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield TrainingRun(process, run_dir, request.plan.game.agents, time.monotonic())
        finally:
            _stop(process, say)


def _stop(process: subprocess.Popen[str], say: Callable[[str], None]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        output, _ = process.communicate(timeout=STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    if process.returncode != 0:
        say(f"ssd-train did not stop cleanly ({process.returncode}):\n{output[-TAIL:]}")
