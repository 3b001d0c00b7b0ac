"""Starts and ends of all processes of a run, over all launches: `history.jsonl`.

From it come the start numbers of environments, which never repeat, the counts of restarts, and the
actors that ended cleanly, whose segments must all be accounted for.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssd_run.account import Epoch
from ssd_run.json_lines import read_lines
from ssd_wire.codec import PROTOCOL_VERSION
from ssd_wire.errors import RunFileError
from ssd_wire.process.json_lines import JsonLinesFile

UNRECORDED_PROTOCOL = "4 or earlier"


@dataclass
class History:
    """The file, and what follows from its lines so far.

    Args:
        path: The file; it need not exist.
        ledgers: The folder of the actors' ledgers, one per incarnation.
    """

    path: Path
    ledgers: Path
    starts: Counter[str] = field(default_factory=Counter)  # role → number of starts
    restarts: Counter[str] = field(default_factory=Counter)  # role → of these, those after a death
    arenas: int = 1  # of the last launch
    clean_epochs: set[Epoch] = field(default_factory=set)  # whose actor ended cleanly
    protocol: int | str | None = None  # version at the last launch; None before any

    def __post_init__(self) -> None:
        for event in read_lines(self.path):
            self._count(event)
        self._file = JsonLinesFile(self.path)
        self._known = set(self._epochs("actor"))

    @property
    def fault(self) -> OSError | None:
        """Why the last event is not in the file yet; None where it is."""
        return self._file.fault

    def close(self) -> None:
        """Write what is pending, if possible, and close the file."""
        self._file.close()

    def record_launch(self, arenas: int) -> None:
        """Record that a launcher has started or resumed this run."""
        self._write({"event": "launch", "arenas": arenas, "protocol": PROTOCOL_VERSION})

    def record_start(self, role: str, restart: bool) -> int:
        """Record that a process is about to start.

        Args:
            role: Of the process.
            restart: Whether it has died in this launch.

        Returns:
            How often this role was started before in this run directory: 0 for the first start.
        """
        number = self.starts[role]
        self._write({"event": "start", "role": role, "number": number, "restart": restart})
        return number

    def record_end(self, role: str, pid: int, code: int) -> None:
        """Record that a process has ended, and the epochs that it had.

        Args:
            role: Of the process.
            pid: Of the process.
            code: Its exit code: 0 for a clean end; otherwise it died.
        """
        epochs = sorted(self._epochs(role) - self._known) if role.startswith("actor-") else []
        self._known.update(epochs)
        self._write({"event": "end", "role": role, "pid": pid, "code": code, "epochs": epochs})

    def check_protocol(self) -> None:
        """Refuse to resume a run that was made with another version of the protocol.

        Raises:
            RunFileError: naming both versions.
        """
        if self.protocol not in (None, PROTOCOL_VERSION):
            raise RunFileError(
                f"{self.path.parent} cannot be resumed: it was made with protocol version "
                f"{self.protocol}, and this ssd-train has version {PROTOCOL_VERSION}. Resume it "
                "with the version of this package that made it, or begin a new run"
            )

    def _epochs(self, role: str) -> set[Epoch]:
        found = set()
        for path in self.ledgers.glob(f"{role}-*.json"):
            _, arena, agent, epoch = path.stem.split("-")
            found.add((int(arena), int(agent), int(epoch, 16)))
        return found

    def _write(self, event: dict[str, Any]) -> None:
        self._file.append([{"time": round(time.time(), 3), **event}])
        self._count(event)

    def _count(self, event: dict[str, Any]) -> None:
        match event:
            case {"event": "launch", "arenas": arenas}:
                self.arenas = arenas
                self.protocol = event.get("protocol", UNRECORDED_PROTOCOL)
            case {"event": "start", "role": role, "restart": restart}:
                self.starts[role] += 1
                self.restarts[role] += restart
            case {"event": "end", "code": 0, "epochs": epochs}:
                self.clean_epochs.update((arena, agent, epoch) for arena, agent, epoch in epochs)
