"""Trains a trial by `ssd-train` in a child process; an interrupted run is resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ssd_lab.studies.box_trapped.arms import Trial
from ssd_run.presets import load_preset
from ssd_run.run_config import check_agrees
from ssd_run.run_directory import read_config

SSD_TRAIN = Path(sys.executable).with_name("ssd-train")


class TrainingError(Exception):
    """A run that has failed. Names its log."""


def is_trained(trial: Trial, out: Path, steps: int) -> bool:
    """Whether the trial's run exists and has ended with so many agent-steps.

    Raises:
        RunFileError: when it was trained with other settings than those of the preset.
    """
    run_dir = trial.run_dir(out)
    if not (run_dir / "summary.json").exists():
        return False
    check_agrees(read_config(run_dir), load_preset(trial.arm.preset), [f"run.seed={trial.seed}"])
    summary = json.loads((run_dir / "summary.json").read_text())
    return bool(summary["agent_steps"] >= steps)


def command(trial: Trial, out: Path, steps: int) -> list[str]:
    """The command line that starts or resumes the training of a trial."""
    run_dir = trial.run_dir(out)
    words = [str(SSD_TRAIN), trial.arm.preset, "--seed", str(trial.seed), "--steps", str(steps)]
    words += ["--run-dir", str(run_dir)]
    return [*words, "--resume"] if (run_dir / "run.toml").exists() else words


def train(trial: Trial, out: Path, steps: int) -> None:
    """Train a trial to its end.

    Its process has its own session, so that Ctrl-C reaches it only through this process: the first
    stops it cleanly, the second kills it.

    Raises:
        KeyboardInterrupt: when the user has stopped it.
        TrainingError: when it has ended for another reason.
    """
    log = trial.run_dir(out).with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        code, stopped = _run(command(trial, out, steps), sink.fileno())
    if stopped:
        raise KeyboardInterrupt
    if code != 0 or not is_trained(trial, out, steps):
        raise TrainingError(f"{trial.arm.name}, seed {trial.seed}: exit code {code}; see {log}")


def _run(words: Sequence[str], sink: int) -> tuple[int, bool]:
    process = subprocess.Popen(  # noqa: S603 - our own command
        words,
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    stopped = False
    while True:
        try:
            return process.wait(), stopped
        except KeyboardInterrupt:
            stopped = True
            process.send_signal(signal.SIGINT)
