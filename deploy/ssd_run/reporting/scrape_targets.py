"""The file from which Prometheus learns the addresses of a run's processes (`file_sd_configs`).

The port of a process changes each time it starts. Its labels do not: with its role as `instance`,
in place of the address, its series go on in the next process of that role.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ssd_wire.process.command import labels_of, write_atomically


class ScrapeTargets:
    """Keeps the files of one run up to date; they contain the processes that run now.

    Args:
        run: The run's name, one of the labels.
        processes: The folder of the processes' entries, each with the address of its metrics.
        paths: The files; all have the same content.

    Attributes:
        fault: Why a file could not be written the last time; None where all were.
    """

    def __init__(self, run: str, processes: Path, paths: Iterable[Path]) -> None:
        self._run = run
        self._processes = processes
        self._written: dict[Path, str | None] = dict.fromkeys(paths)
        self.fault: OSError | None = None

    def update(self, running: Collection[str]) -> None:
        """Write the files whose content is not the current addresses of these processes.

        A process that is still starting has no address yet, and is left out.

        Args:
            running: Roles of the running processes.
        """
        found = [target for role in running if (target := self._target(role)) is not None]
        content = json.dumps(found, indent=1) + "\n"
        self.fault = None
        for path, written in self._written.items():
            if written == content:
                continue
            try:
                write_atomically(path, content)
                self._written[path] = content
            except OSError as fault:
                self.fault = fault

    def remove(self) -> None:
        """Delete the files at the end of the run, so that Prometheus forgets its processes."""
        for path in self._written:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _target(self, role: str) -> dict[str, Any] | None:
        try:
            address = json.loads((self._processes / f"{role}.json").read_text())["metrics"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        labels = {"run": self._run, "instance": role, **labels_of(role)}
        return {"targets": [str(address)], "labels": labels}
