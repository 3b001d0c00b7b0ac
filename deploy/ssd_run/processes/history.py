"""What was started in a run directory, and how it ended: `history.jsonl`, over all launches.

From it come the numbers that must never repeat (a world's incarnation), the restarts, and which
actors ended cleanly, so that the account knows whose segments may be missing.
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
from ssd_wire.json_lines import JsonLinesFile

BEFORE_PROTOCOL_WAS_NOTED = "4 or earlier"


@dataclass
class History:
    """The file, and what its lines amount to so far.

    Args:
        path: The file; it need not exist.
        ledgers: Where actors leave their ledgers, one per incarnation.
    """

    path: Path
    ledgers: Path
    starts: Counter[str] = field(default_factory=Counter)  # role → times started, ever
    restarts: Counter[str] = field(default_factory=Counter)  # role → of these, after a death
    arenas: int = 1  # at the last launch
    clean_epochs: set[Epoch] = field(default_factory=set)  # whose actor ended by itself
    protocol: int | str | None = None  # version at the last launch; None before the first

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
        """Write what waits, if possible, and let go of the file."""
        self._file.close()

    def record_launch(self, arenas: int) -> None:
        """Note that a launcher begins or goes on with this run."""
        self._write({"event": "launch", "arenas": arenas, "protocol": PROTOCOL_VERSION})

    def record_start(self, role: str, restart: bool) -> int:
        """Note that a process is about to start.

        Args:
            role: Which.
            restart: Whether it died before, in this launch.

        Returns:
            How often this role was started before in this run directory: 0 for the first.
        """
        number = self.starts[role]
        self._write({"event": "start", "role": role, "number": number, "restart": restart})
        return number

    def record_end(self, role: str, pid: int, code: int) -> None:
        """Note that a process ended, and which epochs were its own.

        Args:
            role: Which.
            pid: Its number.
            code: 0 for a clean end; otherwise it died.
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
                self.protocol = event.get("protocol", BEFORE_PROTOCOL_WAS_NOTED)
            case {"event": "start", "role": role, "restart": restart}:
                self.starts[role] += 1
                self.restarts[role] += restart
            case {"event": "end", "code": 0, "epochs": epochs}:
                self.clean_epochs.update((arena, agent, epoch) for arena, agent, epoch in epochs)
