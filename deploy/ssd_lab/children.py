"""Starting a child process, and what is left of it when it has ended."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Protocol

from ssd_lab.roster import Program
from ssd_lab.rundir import RunDir

TAIL_LINES = 20
TAIL_BYTES = 16_384


class Child(Protocol):
    """What the supervisor needs of a process. `subprocess.Popen` has it."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code once it has ended: negative for the signal that killed it."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """Stop it at once."""


class Nursery:
    """Starts children that cannot outlive this process, and keeps their output.

    Each has a session of its own, so that a Ctrl-C at the terminal reaches the launcher alone,
    which stops them in order. Each inherits the read end of a pipe whose other end only the
    launcher has: it closes when the launcher dies, however it dies.
    """

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._lifeline, self._held_open = os.pipe()

    def start(self, program: Program, number: int) -> Child:
        """Start a process.

        Args:
            program: Which.
            number: How often it was started before in this run directory.
        """
        self._entry(program.role).unlink(missing_ok=True)
        numbered = [f"--incarnation={number}"] if program.numbered else []
        with self.log(program.role).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own commands
                [*program.command, *numbered, f"--lifeline={self._lifeline}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(self._lifeline, self._run_dir.processes_lock.fileno()),
                env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            )

    def announced(self, role: str, pid: int) -> bool:
        """Whether this very process has said that it is up."""
        try:
            return bool(json.loads(self._entry(role).read_text())["pid"] == pid)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def log(self, role: str) -> Path:
        """Where a process's output goes, over all its starts."""
        return self._run_dir.logs / f"{role}.log"

    def last_words(self, role: str) -> str:
        """The last lines of a process's log."""
        with self.log(role).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:])

    def close(self) -> None:
        """Let go of the pipe: children that still run end."""
        os.close(self._held_open)
        os.close(self._lifeline)

    def _entry(self, role: str) -> Path:
        return self._run_dir.processes / f"{role}.json"
