"""Restarts the processes of a run when they die, after a longer pause if they make no progress.

Where a restart is useless (`ssd_run.processes.deaths`), the run ends. An actor that was replaced is
restarted too: a late message of one that is dead may have replaced it. Where that is useless, only
the actor is given up. This file only decides; starting, signalling and the clock are passed in.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from ssd_run.processes.deaths import Death, Deaths
from ssd_run.processes.history import History
from ssd_run.processes.programs import Program
from ssd_run.processes.spawner import Child, RunFailedError
from ssd_wire.process.command import CONFIGURATION_ERROR, NOT_DRAINED, REPLACED, TEMPORARY_FAULT

FIRST_PAUSE = 0.5  # seconds before a process that died is restarted; doubles without progress
LONGEST_PAUSE = 30.0
HEALTHY = 60.0  # seconds of running after which the next pause is FIRST_PAUSE again
IRREPLACEABLE = "a deterministic run cannot go on without its games and recurrent states"


class Starter(Protocol):
    """Starts processes; see `spawner.Spawner`."""

    def is_ready(self) -> bool:
        """Whether a process can be started now."""

    def start(self, program: Program, number: int) -> Child | None:
        """Start a process for the n-th time, counted from 0; None if that failed this time."""

    def announced(self, role: str, pid: int) -> bool:
        """Whether this process has announced that it is up."""

    def last_error(self, role: str) -> tuple[str, str]:
        """The last line of a process's log, and the error that it ended with, with its place."""


@dataclass
class Supervised:
    """One process under supervision.

    Attributes:
        program: What to start.
        child: The process; None if it has died and is not restarted yet.
        wanted: Whether it is restarted when it ends.
        since: When it was last started.
        due: When it is to be started next.
        pause: Seconds before the restart after its next death.
        deaths: Its consecutive deaths.
        died: Whether it has died in this launch.
        start_failed: Whether the last attempt to start it failed.
    """

    program: Program
    child: Child | None = None
    wanted: bool = True
    since: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE
    deaths: Deaths = field(default_factory=Deaths)
    died: bool = False
    start_failed: bool = False

    @property
    def role(self) -> str:
        """Its name in the run."""
        return self.program.role


class Supervisor:
    """Supervises all processes of a run.

    Args:
        programs: What to run.
        starter: Starts processes.
        history: Records every start and end.
        clock: A monotonic clock in seconds.
        log: Shows a message to the user.
        made_progress: Whether a process has made progress since the last call.
    """

    def __init__(
        self,
        programs: Iterable[Program],
        starter: Starter,
        history: History,
        clock: Callable[[], float],
        log: Callable[[str], None],
        made_progress: Callable[[str], bool],
    ) -> None:
        self._processes = [Supervised(program) for program in programs]
        self._starter = starter
        self._history = history
        self._clock = clock
        self._log = log
        self._made_progress = made_progress

    def check(self) -> None:
        """Find processes that have ended, and start those that are due.

        To be called several times a second.

        Raises:
            RunFailedError: when a process has died and its restart would be useless.
        """
        ready = self._starter.is_ready()
        for process in self._processes:
            if process.child is not None and (code := process.child.poll()) is not None:
                self._ended(process, process.child.pid, code)
            due = process.child is None and process.wanted and self._clock() >= process.due
            if due and ready:
                ready = self._start(process)

    def alive(self, kind: str | None = None) -> tuple[str, ...]:
        """Roles of the running processes, of one kind or of all."""
        return tuple(process.role for process, _ in self._running(kind))

    def stop(self, kind: str) -> None:
        """Ask all processes of a kind to stop, and do not restart them."""
        for process in self._processes:
            if process.program.kind == kind:
                process.wanted = False
        for _, child in self._running(kind):
            child.terminate()

    def kill(self) -> tuple[str, ...]:
        """Kill all running processes; returns their roles."""
        roles = self.alive()
        for process in self._processes:
            process.wanted = False
        for _, child in self._running():
            child.kill()
        return roles

    def _running(self, kind: str | None = None) -> Sequence[tuple[Supervised, Child]]:
        return [
            (process, process.child)
            for process in self._processes
            if process.child is not None and kind in (None, process.program.kind)
        ]

    def _start(self, process: Supervised) -> bool:
        is_restart = process.died and not process.start_failed  # else it is counted already
        number = self._history.record_start(process.role, restart=is_restart)
        process.child = self._starter.start(process.program, number)
        process.start_failed = process.child is None
        process.since = self._clock()
        if process.died and process.child is not None:
            self._log(f"{process.role} restarted")
        return process.child is not None

    def _ended(self, process: Supervised, pid: int, code: int) -> None:
        process.child = None
        self._history.record_end(process.role, pid, code)
        if not process.wanted:
            if code not in (0, -signal.SIGTERM):  # the latter where it was not up yet
                self._log(f"{process.role} {_describe(code)} while it was stopping")
            return
        if not process.program.replaceable:
            self._give_up(process, f"{_describe(code)}; {IRREPLACEABLE}")
        process.died = True
        line, error = self._starter.last_error(process.role) if code > 0 else ("", "")
        if code == CONFIGURATION_ERROR:
            self._give_up(process, _describe(code))
        is_healthy = self._clock() - process.since >= HEALTHY
        if code != TEMPORARY_FAULT:
            up = self._starter.announced(process.role, pid)
            is_new = error != process.deaths.error
            death = Death(code, up, self._made_progress(process.role), error)
            is_healthy |= death.made_progress
            reason = process.deaths.add(death)
            if reason and code == REPLACED:
                process.wanted = False
                self._log(f"{process.role} {_describe(code)}, {reason}; it is not restarted")
                return
            if reason:
                self._give_up(process, f"{_describe(code)}, {reason}")
            line = line if is_new else ""
        if is_healthy:
            process.pause = FIRST_PAUSE
        process.due = self._clock() + process.pause
        because = f" ({line})" if line else ""
        self._log(f"{process.role} {_describe(code)}{because}; restarting in {process.pause:g} s")
        process.pause = min(2 * process.pause, LONGEST_PAUSE)

    def _give_up(self, process: Supervised, reason: str) -> NoReturn:
        process.wanted = False
        raise RunFailedError(process.role, reason)


def _describe(code: int) -> str:
    if code == CONFIGURATION_ERROR:
        return f"cannot go on (exit code {code})"
    if code == REPLACED:
        return "was replaced by another process of its role"
    if code == NOT_DRAINED:
        return "ended before all of its segments were durable"
    if code == TEMPORARY_FAULT:
        return "could not read or write files"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
