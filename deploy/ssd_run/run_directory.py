"""The run directory: the files of a run, and the locks that keep other launchers out."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import click

from ssd_run.run_config import RunConfig, check_agrees, validate
from ssd_wire.endpoints import lock_file
from ssd_wire.errors import EndpointError, RunFileError
from ssd_wire.process.command import write_atomically
from ssd_wire.run_file import load_run_file

LAUNCHER_LOCK = ".launcher.lock"
PROCESSES_LOCK = ".processes.lock"
SOCKETS_PREFIX = "ssd-"
SOCKETS_LOCK = ".lock"  # in that directory
SOCKETS = ".sockets"  # holds the path of this launch's socket directory while that exists
HISTORY = "history.jsonl"
LEDGERS = "ledgers"
ORIGINAL_RUN_FILE = ".run.toml"  # a copy of the run file, to detect edits


class RunDir:
    """The paths in one run directory, and its locks.

    Args:
        root: The directory.
        launcher_lock: Keeps a second launcher out as long as this process lives.
        processes_lock: Inherited by every child process, so that it is held until the last of them
            has ended, even if the launcher was killed.
    """

    def __init__(self, root: Path, launcher_lock: IO[bytes], processes_lock: IO[bytes]) -> None:
        self.root = root
        self.launcher_lock = launcher_lock
        self.processes_lock = processes_lock
        self.run_file = root / "run.toml"  # all settings, resolved
        self.processes = root / "processes"  # pid and addresses of each process, written by itself
        self.logs = root / "logs"  # output of each process
        self.checkpoints = root / "checkpoints"  # by the learners
        self.episodes = root / "episodes"  # by the environments
        self.ledgers = root / LEDGERS  # counts of segments, by actors and learners
        self.history = root / HISTORY  # starts and ends of processes
        self.metrics = root / "metrics.jsonl"
        self.tensorboard = root / "tensorboard"
        self.summary = root / "summary.json"
        self.prometheus = root / "prometheus.json"  # addresses of the running processes' metrics

    @property
    def name(self) -> str:
        """The run's name: that of the directory."""
        return self.root.resolve().name

    def note_sockets(self, folder: Path) -> None:
        """Write down where the sockets are, so that they can be deleted after a crash."""
        write_atomically(self.root / SOCKETS, str(folder))

    def close(self) -> None:
        """Release the locks."""
        (self.root / SOCKETS).unlink(missing_ok=True)
        self.processes_lock.close()
        self.launcher_lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()


def create(root: Path, config: RunConfig) -> RunDir:
    """Create the directory of a new run, with its run file.

    Raises:
        click.UsageError: when it is not empty.
        EndpointError: when another launcher uses it.
    """
    ours = (LAUNCHER_LOCK, PROCESSES_LOCK)
    if root.exists() and (not root.is_dir() or any(p.name not in ours for p in root.iterdir())):
        raise click.UsageError(f"run directory {root} exists already: --resume continues it")
    run_dir = _lock(root)
    for folder in (run_dir.processes, run_dir.logs, run_dir.episodes, run_dir.ledgers):
        folder.mkdir()
    write_atomically(root / ORIGINAL_RUN_FILE, config.toml())
    write_atomically(run_dir.run_file, config.toml())
    return run_dir


def join(root: Path, name: str, patience: float) -> RunDir:
    """Open the directory of a run in a process on another node, which starts a part of it.

    Its lock is never released: this process and those that it starts hold it until they have ended.

    Args:
        root: The directory.
        name: Of that process.
        patience: Seconds to wait for the processes of an earlier one with this name.

    Raises:
        EndpointError: when the directory is not there, or those processes do not end.
    """
    if not (root / "run.toml").is_file():
        raise EndpointError(
            f"{root} is not on {socket.gethostname()}: wanted a directory that all nodes share"
        )
    deadline = time.monotonic() + patience
    while True:
        try:
            lock = lock_file(root / f".{name}.lock", f"{name} in run directory {root}")
        except EndpointError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return RunDir(root, lock, lock)


def read_config(root: Path) -> RunConfig:
    """The configuration of the run in a directory.

    Raises:
        RunFileError: when there is no valid run file.
    """
    if not (root / "run.toml").is_file():
        raise RunFileError(f"{root} is not a run directory: it has no run.toml")
    return validate(load_run_file(root / "run.toml"))


def check_unedited(root: Path, config: RunConfig) -> None:
    """Refuse to resume a run whose run file has been edited.

    Args:
        root: The run's directory.
        config: From its run file as it is now.

    Raises:
        RunFileError: naming every key that differs.
    """
    if not (root / ORIGINAL_RUN_FILE).is_file():
        return
    kept, found = validate(load_run_file(root / ORIGINAL_RUN_FILE)), config.sections()
    stated = {
        name: {**dict.fromkeys(keys), **found[name]} for name, keys in kept.sections().items()
    }
    try:
        check_agrees(kept, stated, ())
    except RunFileError as fault:
        raise RunFileError(f"{root / 'run.toml'} has been edited; {fault}") from fault


def resume(root: Path, patience: float, log: Callable[[str], None]) -> RunDir:
    """Open the directory of an earlier run, and delete what a killed launcher has left.

    The processes of a killed launcher need a moment to end. Until then they use their checkpoints.

    Args:
        root: The directory.
        patience: Seconds to wait for the processes of an earlier launch.
        log: Tells the user why it waits.

    Raises:
        EndpointError: when another launcher uses the directory, or its processes do not end.
    """
    run_dir = _wait_for_locks(root, time.monotonic() + patience, log)
    for entry in run_dir.processes.glob("*.json"):
        entry.unlink()  # of processes that have ended; their ports may belong to others by now
    _remove_sockets(root / SOCKETS)
    return run_dir


def _remove_sockets(note: Path) -> None:
    """Delete the socket directory that a file names, if it is one of ours and not in use.

    It is in use when this run directory is a copy of that of a running launcher.
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


def _wait_for_locks(root: Path, deadline: float, log: Callable[[str], None]) -> RunDir:
    has_logged = False
    while True:
        try:
            return _lock(root)
        except StillRunningError as fault:
            if time.monotonic() > deadline:
                raise
            if not has_logged:
                log(f"waiting: {fault}")
            has_logged = True
        time.sleep(0.2)


class StillRunningError(EndpointError):
    """Processes that an earlier launcher started still run."""


def _lock(root: Path) -> RunDir:
    launcher = lock_file(root / LAUNCHER_LOCK, f"run directory {root}")
    try:
        processes = lock_file(root / PROCESSES_LOCK, f"run directory {root}")
    except EndpointError as fault:
        launcher.close()
        raise StillRunningError(
            f"processes of an earlier launch are still running in {root}, see {root / 'processes'}"
        ) from fault
    return RunDir(root, launcher, processes)
