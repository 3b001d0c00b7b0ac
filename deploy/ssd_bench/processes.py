"""Single processes of a run, started and stopped as ssd-train does it, and what processes use."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import psutil

from ssd_run import run_directory
from ssd_run.processes.history import History
from ssd_run.processes.programs import Endpoints, RunSize, all_programs
from ssd_run.processes.shutdown import shut_down
from ssd_run.processes.socket_directory import socket_directory
from ssd_run.processes.spawner import RunFailedError, Spawner
from ssd_run.processes.supervisor import Supervisor
from ssd_run.run_config import RunConfig

START_SECONDS = 300.0  # kernels may have to be compiled first
STOP_SECONDS = 60.0


def log(line: str) -> None:
    """Write a line to standard error; results go to standard output."""
    click.echo(line, err=True)


@contextmanager
def running(config: RunConfig, role: str) -> Iterator[dict[str, Any]]:
    """Run one process of a config, such as ``env-0`` or ``learner-3``, until this context ends.

    Yields:
        Its entry in the run directory: pid and addresses.

    Raises:
        click.ClickException: when it does not start; quotes the end of its log.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ssd-bench-"))
        run_dir = stack.enter_context(run_directory.create(Path(folder, "run"), config))
        sockets = stack.enter_context(socket_directory(log))
        size = RunSize(config.game.agents, arenas=1, steps=None)
        endpoints = Endpoints.ipc(sockets, size)
        programs = [one for one in all_programs(size, run_dir, endpoints) if one.role == role]
        spawner = stack.enter_context(closing(Spawner(run_dir)))
        history = History(run_dir.history, run_dir.ledgers)
        supervisor = Supervisor(
            programs, spawner, history, time.monotonic, log, made_progress=lambda _: True
        )
        stack.callback(shut_down, supervisor, STOP_SECONDS, time.monotonic, _pause)
        try:
            yield _wait_for_entry(supervisor, run_dir.processes / f"{role}.json")
        except RunFailedError as error:
            log_tail = spawner.log_tail(error.role)
            raise click.ClickException(f"{error}; its log ends:\n{log_tail}") from error


def _wait_for_entry(supervisor: Supervisor, entry: Path) -> Any:
    deadline = time.monotonic() + START_SECONDS
    while not entry.exists():
        supervisor.check()
        if time.monotonic() > deadline:
            raise click.ClickException(f"{entry.stem} did not start in {START_SECONDS:.0f} s")
        _pause()
    return json.loads(entry.read_text())


def _pause() -> bool:
    time.sleep(0.05)
    return False


def memory(pid: int) -> int:
    """Bytes that a process and its descendants use, each shared page counted in parts (PSS)."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += one.memory_full_info().pss
    return total


def cpu_seconds(pid: int) -> float:
    """User and system CPU time of a process; 0 when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
