"""A run of `ssd-train` as a child of ours, and what its processes say of themselves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ssd_run.progress.scraper import Metrics, fetch

START = 180.0  # seconds within which every learner has made an update
STOP = 60.0  # seconds within which a run has stopped
TAIL = 3000  # characters of what a run has printed, where it went wrong


@dataclass(frozen=True)
class LaunchedRun:
    """A run seen from outside.

    Attributes:
        process: Its `ssd-train`.
        run_dir: Its directory.
        agents: N.
        began: When it was launched, by `time.monotonic`.
    """

    process: subprocess.Popen[str]
    run_dir: Path
    agents: int
    began: float

    def pids(self) -> dict[str, int]:
        """Role → pid of all processes that have said that they are up."""
        return {role: entry["pid"] for role, entry in self._entries()}

    def learners(self) -> Sequence[Metrics] | None:
        """What all learners say now, in the order of their numbers; None if one is silent."""
        self.check()
        learners = (entry for role, entry in self._entries() if role.startswith("learner-"))
        try:
            said = [fetch(entry["metrics"]) for entry in learners]
        except OSError:  # not serving yet, or too busy to answer in time
            return None
        return said if len(said) == self.agents else None

    def wait_for_first_updates(self) -> float:
        """Return when every learner has made one; seconds since the launch.

        Raises:
            click.ClickException: when that takes too long, or the run has ended by itself.
        """
        while (elapsed := time.monotonic() - self.began) < START:
            said = self.learners()
            if said is not None and min(map(updates_of, said)) > 0:
                return elapsed
            time.sleep(0.2)
        raise click.ClickException(f"no update of every learner within {START:.0f} s")

    def check(self) -> None:
        """Nothing, as long as the run goes on.

        Raises:
            click.ClickException: when it has ended by itself.
        """
        if self.process.poll() is not None:
            output, _ = self.process.communicate()
            raise click.ClickException(f"ssd-train has ended by itself:\n{output[-TAIL:]}")

    def _entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in sorted((self.run_dir / "processes").glob("*.json")):
            yield path.stem, json.loads(path.read_text())


@contextmanager
def launched(
    command: Iterable[str],
    run_dir: Path,
    agents: int,
    say: Callable[[str], None],
) -> Iterator[LaunchedRun]:
    """A run that goes on until this context ends. If we are killed, it dies of its next line.

    Args:
        command: What `ssd-train` is told.
        run_dir: Where it shall be.
        agents: N.
        say: Told when it did not stop cleanly.
    """
    train = Path(sys.executable).parent / "ssd-train"
    process = subprocess.Popen(  # noqa: S603 - our own command
        [str(train), *command, f"--run-dir={run_dir}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield LaunchedRun(process, run_dir, agents, time.monotonic())
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


def own_steps_of(said: Metrics) -> float:
    """Agent-steps that a learner has trained."""
    return said["ssd_learner_own_steps_total"]


def updates_of(said: Metrics) -> float:
    """Updates that a learner has made."""
    return said["ssd_learner_updates_total"]
