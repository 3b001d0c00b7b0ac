"""A run of `ssd-train` as a child process, and what its learners report."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ssd_bench.processes import START_SECONDS, STOP_SECONDS, log
from ssd_run.progress.scraper import fetch
from ssd_run.run_config import RunConfig

TAIL = 3000  # characters of what a failed run has printed


@dataclass(frozen=True)
class TrainingRun:
    """A run seen from outside."""

    process: subprocess.Popen[bytes]  # its `ssd-train`
    run_dir: Path
    agents: int
    began: float  # by `time.monotonic`

    @property
    def elapsed(self) -> float:
        """Seconds since the launch."""
        return time.monotonic() - self.began

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Role → pid and addresses of all processes that are up."""
        paths = sorted(self.run_dir.glob("processes/*.json"))
        return {path.stem: json.loads(path.read_text()) for path in paths}

    def trained(self) -> NDArray[np.float64] | None:
        """[2, N] own-steps and updates of all learners; None if one of them does not answer.

        Raises:
            click.ClickException: when the run has ended by itself.
        """
        if self.process.poll() is not None:
            raise click.ClickException(f"ssd-train has ended by itself:\n{self.tail()}")
        learners = [one for role, one in self.entries.items() if role.startswith("learner-")]
        try:
            metrics = [fetch(entry["metrics"]) for entry in learners]
        except OSError:  # not serving yet, or too busy to answer in time
            return None
        names = ("ssd_learner_own_steps", "ssd_learner_weights_version")
        counters = np.array([[one[name] for one in metrics] for name in names])
        return counters if len(metrics) == self.agents else None

    def wait_for_first_updates(self) -> float:
        """Wait until every learner has made an update; seconds since the launch.

        Raises:
            click.ClickException: when that takes too long, or the run has ended by itself.
        """
        while self.elapsed < START_SECONDS:
            if (trained := self.trained()) is not None and trained[1].min() > 0:
                return self.elapsed
            time.sleep(0.2)
        raise click.ClickException(f"no update of every learner within {START_SECONDS:.0f} s")

    def tail(self) -> str:
        """The end of what it has printed."""
        return self.run_dir.with_suffix(".log").read_text()[-TAIL:]


@contextmanager
def training_run(config: RunConfig) -> Iterator[TrainingRun]:
    """A run in a temporary directory, until this context ends."""
    with tempfile.TemporaryDirectory(prefix="ssd-bench-", ignore_cleanup_errors=True) as folder:
        run_dir, run_file = Path(folder, "run"), Path(folder, "run.toml")
        run_file.write_text(config.toml(), encoding="utf-8")
        with run_dir.with_suffix(".log").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "ssd_run.cli", run_file, f"--run-dir={run_dir}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        run = TrainingRun(process, run_dir, config.game.agents, time.monotonic())
        try:
            yield run
        finally:
            _stop(run)


def _stop(run: TrainingRun) -> None:
    if run.process.poll() is not None:
        return
    run.process.terminate()
    try:
        code = run.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        run.process.kill()
        code = run.process.wait()
    if code != 0:
        log(f"ssd-train did not stop cleanly (exit code {code}):\n{run.tail()}")
