"""What the processes of a run write for their launcher: their entries and their logs."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from pathlib import Path

from ssd_run.run_directory import RunDir

TAIL_LINES = 20
TAIL_BYTES = 16_384
_CODE = re.compile(r'\s*File ".*", line \d+')


class ProcessFiles:
    """Reads the entries and the logs of a run's processes.

    Args:
        run_dir: Of the run.
    """

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir

    def forget(self, role: str) -> None:
        """Delete the entry of an earlier process; one that stays has another pid than a new one."""
        with suppress(OSError):
            self._entry(role).unlink()

    def announced(self, role: str, pid: int) -> bool:
        """Whether this process, and not an earlier one of its role, has announced that it is up."""
        try:
            return bool(json.loads(self._entry(role).read_text())["pid"] == pid)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def log_file(self, role: str) -> Path:
        """The file of a process's output, over all of its starts."""
        return self._run_dir.logs / f"{role}.log"

    def log_tail(self, role: str) -> str:
        """The last lines of a process's log; none if it cannot be read."""
        try:
            with self.log_file(role).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                lines = log.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-TAIL_LINES:])

    def last_error(self, role: str) -> tuple[str, str]:
        """The last line of a process's log, and the error that it ended with.

        Returns:
            The line; and the exception's name with the line of code that raised it, empty where
            the last lines have no traceback.
        """
        lines = self.log_tail(role).splitlines() or [""]
        place = next((line.strip() for line in reversed(lines) if _CODE.match(line)), "")
        return lines[-1].strip(), f"{place}: {lines[-1].partition(':')[0]}" if place else ""

    def _entry(self, role: str) -> Path:
        return self._run_dir.processes / f"{role}.json"
