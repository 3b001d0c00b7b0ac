"""The run directory: where everything of a run lies, and who may write there."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import click

from ssd_run.run_config import RunConfig, check_agrees, validate
from ssd_wire.endpoints import lock_file
from ssd_wire.errors import EndpointError, RunFileError
from ssd_wire.process import write_atomically
from ssd_wire.run_file import load_run_file

LAUNCHER_LOCK = ".launcher.lock"
PROCESSES_LOCK = ".processes.lock"
SOCKETS_PREFIX = "ssd-"
SOCKETS_LOCK = ".lock"  # in that directory
SOCKETS = ".sockets"  # names the directory of this launch's sockets for as long as it is there
HISTORY = "history.jsonl"
LEDGERS = "ledgers"
BEGUN_WITH = ".run.toml"  # a copy of the run file that nobody edits


class RunDir:
    """Paths in one run directory, held by this launcher.

    Args:
        root: The directory.
        launcher_lock: Keeps a second launcher out for as long as this process lives.
        processes_lock: Inherited by every child. So it stays held until the last of them is gone,
            even when the launcher was killed.
    """

    def __init__(self, root: Path, launcher_lock: IO[bytes], processes_lock: IO[bytes]) -> None:
        self.root = root
        self.launcher_lock = launcher_lock
        self.processes_lock = processes_lock
        self.run_file = root / "run.toml"  # all settings, resolved
        self.processes = root / "processes"  # who is up, and where: written by each process
        self.logs = root / "logs"  # what each process wrote on its terminal
        self.checkpoints = root / "checkpoints"  # by the learners
        self.episodes = root / "episodes"  # by the worlds
        self.ledgers = root / LEDGERS  # segments, by actors and learners
        self.history = root / HISTORY  # starts and ends of processes
        self.metrics = root / "metrics.jsonl"
        self.tensorboard = root / "tensorboard"
        self.summary = root / "summary.json"

    def note_sockets(self, folder: Path) -> None:
        """Leave word where this launch's sockets are, for whoever resumes it after its death."""
        write_atomically(self.root / SOCKETS, str(folder))

    def close(self) -> None:
        """Let go of the directory."""
        (self.root / SOCKETS).unlink(missing_ok=True)
        self.processes_lock.close()
        self.launcher_lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()


def create(root: Path, config: RunConfig) -> RunDir:
    """Make a new run's directory, with its run file.

    Raises:
        click.UsageError: when there is something in it already.
        EndpointError: when another launcher is at work there.
    """
    ours = (LAUNCHER_LOCK, PROCESSES_LOCK)
    if root.exists() and (not root.is_dir() or any(p.name not in ours for p in root.iterdir())):
        raise click.UsageError(
            f"run directory {root} exists already: go on with it by --resume, or name another"
        )
    run_dir = _held(root)
    for folder in (run_dir.processes, run_dir.logs, run_dir.episodes, run_dir.ledgers):
        folder.mkdir()
    write_atomically(root / BEGUN_WITH, config.toml())
    write_atomically(run_dir.run_file, config.toml())
    return run_dir


def read_config(root: Path) -> RunConfig:
    """What the run in a directory is.

    Raises:
        RunFileError: when it holds no valid run file.
    """
    if not (root / "run.toml").is_file():
        raise RunFileError(f"{root} is no run directory: it has no run.toml")
    return validate(load_run_file(root / "run.toml"))


def check_unedited(root: Path, config: RunConfig) -> None:
    """Refuse to resume a run whose run file is not the one it began with.

    Args:
        root: The run's directory.
        config: What its run file says now.

    Raises:
        RunFileError: naming every key that differs.
    """
    if not (root / BEGUN_WITH).is_file():
        return
    kept, found = validate(load_run_file(root / BEGUN_WITH)), config.sections()
    stated = {
        name: {**dict.fromkeys(keys), **found[name]} for name, keys in kept.sections().items()
    }
    try:
        check_agrees(kept, stated, ())
    except RunFileError as fault:
        raise RunFileError(f"{root / 'run.toml'} has been edited; {fault}") from fault


def resume(root: Path, patience: float, say: Callable[[str], None]) -> RunDir:
    """Take up an earlier run's directory, and sweep what a killed launcher left.

    A killed launcher's processes take a moment to end. Until then they hold their checkpoints.

    Args:
        root: The directory.
        patience: Seconds to wait for an earlier launch's processes.
        say: Tells whoever waits why.

    Raises:
        EndpointError: when another launcher is at work there, or its processes do not end.
    """
    run_dir = _held_in_time(root, time.monotonic() + patience, say)
    for entry in run_dir.processes.glob("*.json"):
        entry.unlink()  # of processes that are gone; others may have their ports by now
    _remove_sockets(root / SOCKETS)
    return run_dir


def _remove_sockets(note: Path) -> None:
    """Remove the directory that a note names, if it is one of ours and no launcher holds it.

    One that is held belongs to a run that is alive, of which this run directory is a copy.
    """
    if not note.is_file():
        return
    folder = Path(note.read_text(encoding="utf-8"))
    ours = folder.name.startswith(SOCKETS_PREFIX) and not folder.is_symlink() and folder.is_dir()
    if ours and folder.stat().st_uid == os.getuid():
        with (
            suppress(EndpointError),
            lock_file(folder / SOCKETS_LOCK, f"socket directory {folder}"),
        ):
            shutil.rmtree(folder, ignore_errors=True)
    note.unlink()


def _held_in_time(root: Path, deadline: float, say: Callable[[str], None]) -> RunDir:
    told = False
    while True:
        try:
            return _held(root)
        except StillRunningError as fault:
            if time.monotonic() > deadline:
                raise
            if not told:
                say(f"waiting: {fault}")
            told = True
        time.sleep(0.2)


class StillRunningError(EndpointError):
    """Processes that an earlier launcher started are not gone yet."""


def _held(root: Path) -> RunDir:
    launcher = lock_file(root / LAUNCHER_LOCK, f"run directory {root}")
    try:
        processes = lock_file(root / PROCESSES_LOCK, f"run directory {root}")
    except EndpointError as fault:
        launcher.close()
        raise StillRunningError(
            f"processes of an earlier launch still run in {root}, see {root / 'processes'}"
        ) from fault
    return RunDir(root, launcher, processes)
