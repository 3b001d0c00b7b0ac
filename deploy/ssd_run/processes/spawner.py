"""Starts child processes through the fork server."""

from __future__ import annotations

import ctypes
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Protocol

from ssd_run.processes.fork_server import LARGEST_PACKET, READY
from ssd_run.processes.process_files import ProcessFiles
from ssd_run.processes.programs import Program
from ssd_run.run_directory import RunDir
from ssd_wire.process.command import CONFIGURATION_ERROR

PRELOAD = "ssd_run.processes.preload"
ROLE = "fork-server"
ANSWER_SECONDS = 10.0  # that the fork server has to answer, or to end
MOST_EARLY_DEATHS = 3  # deaths of the fork server, in a row, before it has forked a first process
PAUSES = (0.0, 0.5, 2.0, 8.0, 30.0)  # seconds before it is started again, by deaths in a row
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_SET_CHILD_SUBREAPER = 36  # of prctl(2)


class RunFailedError(Exception):
    """A process cannot be kept running. Names the process and the reason.

    Args:
        role: Of the process.
        reason: Why.
        code: The exit code of a launcher that ends because of this.
    """

    def __init__(self, role: str, reason: str, code: int = 1) -> None:
        super().__init__(f"{role} {reason}")
        self.role = role
        self.code = code


class Child(Protocol):
    """What the supervisor needs from a process."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code once it has ended, negative if it was killed by a signal; else None."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Kill it."""


class ForkedProcess:
    """A process that the fork server has forked, and that is a child of this process.

    Its pid is not used again before `poll` has returned its exit code.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code once it has ended, negative if it was killed by a signal; else None."""
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def terminate(self) -> None:
        """Ask it to stop."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class Spawner(ProcessFiles):
    """Starts child processes that cannot outlive this process, and logs their output.

    They are forked by the fork server (`ssd_run.processes.fork_server`), which has loaded the
    libraries that they need. It is restarted when it dies, which does not affect them. Only if it
    has never forked a process, its deaths end the run.

    Each child has its own session, so that Ctrl-C at the terminal reaches only the launcher, which
    stops them in order. Each inherits the read end of a pipe whose other end only the launcher has:
    it closes when the launcher dies.

    Args:
        run_dir: Of the run.
        preload: The module that loads the libraries.
        role: Name of the fork server: of its log, and in messages.
    """

    _process: subprocess.Popen[bytes]
    _channel: socket.socket  # to the fork server
    _is_loaded: bool

    def __init__(self, run_dir: RunDir, preload: str = PRELOAD, role: str = ROLE) -> None:
        super().__init__(run_dir)
        self._preload = preload
        self._role = role
        self._parent_pipe, self._held_open = os.pipe()
        self._failures = 0  # of the fork server, in a row
        self._has_forked = False
        self._due: float | None = None  # when to restart the fork server, if it has ended
        become_subreaper()
        self._start_fork_server()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Descriptors to select on: one of them is readable when `is_ready` may have changed."""
        return () if self._due is not None else (self._channel.fileno(),)

    def is_ready(self) -> bool:
        """Whether a process can be started now. Restarts the fork server if it has died.

        Raises:
            RunFailedError: when the fork server cannot be kept running.
        """
        if self._due is not None and time.monotonic() >= self._due:
            self._start_fork_server()
        if select.select(self.descriptors, [], [], 0)[0]:
            if self._receive() == READY:
                self._is_loaded = True
            else:
                self._plan_restart(failed=not self._is_loaded)
        return self._is_loaded

    def start(self, program: Program, number: int) -> Child | None:
        """Start a process; to be called only if `is_ready`.

        Args:
            program: What to start.
            number: How often it was started before in this run directory.

        Returns:
            The process; None if the fork server has ended, which is then restarted.

        Raises:
            RunFailedError: when the fork server cannot be kept running.
        """
        self.forget(program.role)
        numbered = [f"--start-number={number}"] if program.numbered else []
        request = {
            "module": program.module,
            "command": [*program.command, *numbered, f"--parent-pipe={self._parent_pipe}"],
            "log": str(self.log_file(program.role)),
        }
        with suppress(OSError):  # it may have ended, which the next line finds
            self._channel.send(json.dumps(request).encode())
        if not (answer := self._receive()):
            self._plan_restart(failed=True)
            return None
        self._failures = 0
        self._has_forked = True
        return ForkedProcess(int(answer))

    def close(self) -> None:
        """End the fork server and close the pipe: children that still run end."""
        self._process.kill()
        self._process.wait()
        self._channel.close()
        os.close(self._held_open)
        os.close(self._parent_pipe)

    def _start_fork_server(self) -> None:
        self._is_loaded = False
        self._due = None
        self._channel, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        self._channel.settimeout(ANSWER_SECONDS)
        with theirs, self.log_file(self._role).open("ab") as log:
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

    def _receive(self) -> bytes:
        """A packet; empty if the fork server has ended, or is killed since it did not answer."""
        try:
            return self._channel.recv(LARGEST_PACKET)
        except TimeoutError:
            self._process.kill()
            return b""
        except OSError:
            return b""

    def _plan_restart(self, failed: bool) -> None:
        """Plan the restart of the fork server, which has ended; later if it has failed before."""
        self._channel.close()
        code = self._wait_for_exit()
        self._is_loaded = False
        self._failures += failed
        self._due = math.inf
        if code == CONFIGURATION_ERROR:
            raise RunFailedError(self._role, "cannot use the run file")
        if self._failures >= MOST_EARLY_DEATHS and not self._has_forked:
            raise RunFailedError(
                self._role, f"ended {MOST_EARLY_DEATHS} times before it had started a process"
            )
        pause = PAUSES[min(self._failures, len(PAUSES) - 1)] if self._has_forked else 0.0
        self._due = time.monotonic() + pause

    def _wait_for_exit(self) -> int:
        """The exit code of a fork server that has closed its channel or does not answer."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(ANSWER_SECONDS)
        self._process.kill()
        return self._process.wait()


def become_subreaper() -> None:
    """Become the parent of every descendant process whose own parent ends.

    Raises:
        OSError: when the system does not support it; Linux does.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
