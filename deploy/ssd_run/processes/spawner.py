"""Starting a child process, and what is left of it when it has ended."""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ssd_run.processes.fork_server import LARGEST_PACKET, READY
from ssd_run.processes.programs import Program
from ssd_run.run_directory import RunDir
from ssd_wire.process import CONFIGURATION_ERROR

TAIL_LINES = 20
TAIL_BYTES = 16_384
PRELOAD = "ssd_run.processes.preload"
ROLE = "fork-server"
PATIENCE = 10.0  # seconds that the fork server has for its answer, or to end
MOST_EARLY_DEATHS = 3  # deaths of the fork server, in a row, before it has forked a first process
PAUSES = (0.0, 0.5, 2.0, 8.0, 30.0)  # seconds before it is started again, by deaths in a row
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_CODE = re.compile(r'\s*File ".*", line \d+')
_SET_CHILD_SUBREAPER = 36  # of prctl(2)


class RunFailedError(Exception):
    """A process cannot be kept alive. Names it and what became of it."""

    def __init__(self, role: str, reason: str) -> None:
        super().__init__(f"{role} {reason}")
        self.role = role


class Child(Protocol):
    """What the supervisor needs of a process."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code once it has ended: negative for the signal that killed it."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Stop it at once."""


class ForkedProcess:
    """A process that the fork server forked, and that became a child of this one.

    Its number is no other's until `poll` has told how it ended.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code once it has ended: negative for the signal that killed it."""
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def terminate(self) -> None:
        """Ask it to stop."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Spawner:
    """Starts children that cannot outlive this process, and keeps their output.

    They are forked by a process that has loaded what they need, the fork server
    (`ssd_run.processes.fork_server`). It is started again when it dies, which does not affect them.
    Only if it has never forked a process, its deaths end the run.

    Each has a session of its own, so that a Ctrl-C at the terminal reaches the launcher alone,
    which stops them in order. Each inherits the read end of a pipe whose other end only the
    launcher has: it closes when the launcher dies, however it dies.

    Args:
        run_dir: Of the run.
        preload: Module that knows what there is to load.
    """

    _process: subprocess.Popen[bytes]
    _channel: socket.socket  # to it
    _up: bool  # whether it has loaded

    def __init__(self, run_dir: RunDir, preload: str = PRELOAD) -> None:
        self._run_dir = run_dir
        self._preload = preload
        self._parent_pipe, self._held_open = os.pipe()
        self._failures = 0  # of the fork server, in a row
        self._has_forked = False
        self._due: float | None = None  # when to start the fork server again, where it is gone
        become_subreaper()
        self._open()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a select must watch to be woken when `is_ready` has something new to tell."""
        return () if self._due is not None else (self._channel.fileno(),)

    def is_ready(self) -> bool:
        """Whether a process can be started now. Starts the fork server again if it has died.

        Raises:
            RunFailedError: when that would be in vain.
        """
        if self._due is not None and time.monotonic() >= self._due:
            self._open()
        if select.select(self.descriptors, [], [], 0)[0]:
            if self._hear() == READY:
                self._up = True
            else:
                self._lost(failed=not self._up)
        return self._up

    def start(self, program: Program, number: int) -> Child | None:
        """Start a process; to be called when that is possible (`is_ready`).

        Args:
            program: Which.
            number: How often it was started before in this run directory.

        Returns:
            The process; None when the fork server was gone, which is then started again.

        Raises:
            RunFailedError: when that would be in vain.
        """
        self._entry(program.role).unlink(missing_ok=True)
        numbered = [f"--incarnation={number}"] if program.numbered else []
        order = {
            "module": program.module,
            "command": [*program.command, *numbered, f"--parent-pipe={self._parent_pipe}"],
            "log": str(self.log(program.role)),
        }
        with suppress(OSError):  # it may be gone, which will be heard
            self._channel.send(json.dumps(order).encode())
        if not (answer := self._hear()):
            self._lost(failed=True)
            return None
        self._failures = 0
        self._has_forked = True
        return ForkedProcess(int(answer))

    def announced(self, role: str, pid: int) -> bool:
        """Whether this very process has said that it is up."""
        try:
            return bool(json.loads(self._entry(role).read_text())["pid"] == pid)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def log(self, role: str) -> Path:
        """Where a process's output goes, over all its starts."""
        return self._run_dir.logs / f"{role}.log"

    def log_tail(self, role: str) -> str:
        """The last lines of a process's log."""
        with self.log(role).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def last_error(self, role: str) -> tuple[str, str]:
        """The last line of a process's log, and the error that it ended with.

        Returns:
            The line; and the exception's name with the line of code that raised it, empty where
            the log does not end with a traceback.
        """
        lines = self.log_tail(role).splitlines() or [""]
        place = next((line.strip() for line in reversed(lines) if _CODE.match(line)), "")
        return lines[-1].strip(), f"{place}: {lines[-1].partition(':')[0]}" if place else ""

    def close(self) -> None:
        """Let go of the pipe: children that still run end."""
        self._process.kill()
        self._process.wait()
        self._channel.close()
        os.close(self._held_open)
        os.close(self._parent_pipe)

    def _open(self) -> None:
        self._up = False
        self._due = None
        self._channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._channel.settimeout(PATIENCE)
        with theirs, self.log(ROLE).open("ab") as log:
            passed = (theirs.fileno(), self._parent_pipe, self._run_dir.processes_lock.fileno())
            arguments = (str(passed[0]), self._preload, str(self._run_dir.run_file))
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", "ssd_run.processes.fork_server", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=passed,
                env={**os.environ, **ONE_THREAD},
            )

    def _hear(self) -> bytes:
        """A packet; none from a process that is gone, or that does not answer in time."""
        try:
            return self._channel.recv(LARGEST_PACKET)
        except OSError:
            return b""

    def _lost(self, failed: bool) -> None:
        """Have the fork server, which is gone, started again, later if it has failed before."""
        self._channel.close()
        code = self._ended()
        self._up = False
        self._failures += failed
        self._due = math.inf
        if code == CONFIGURATION_ERROR:
            raise RunFailedError(ROLE, "cannot use the run file")
        if self._failures >= MOST_EARLY_DEATHS and not self._has_forked:
            raise RunFailedError(
                ROLE, f"ended, {MOST_EARLY_DEATHS} times before it had started a process"
            )
        pause = PAUSES[min(self._failures, len(PAUSES) - 1)] if self._has_forked else 0.0
        self._due = time.monotonic() + pause

    def _ended(self) -> int:
        """The exit code of a fork server that has let go of its channel, or does not answer."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(PATIENCE)
        self._process.kill()
        return self._process.wait()

    def _entry(self, role: str) -> Path:
        return self._run_dir.processes / f"{role}.json"


def become_subreaper() -> None:
    """Become the parent of every process that descends from this one and loses its own.

    Raises:
        OSError: when the system knows no such thing; Linux does.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
