"""An actor's segment counts, in a file that survives however the process ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ssd_wire.process.command import write_atomically

_WIDTH = 256  # every write has this size, so one write replaces the whole file


class Ledger:
    """Saves the segment counts of one actor incarnation.

    Args:
        path: The file; None to save nothing.
        arena, agent, epoch: Which actor incarnation the counts are of.
    """

    def __init__(self, path: Path | None, arena: int, agent: int, epoch: int) -> None:
        self._actor = {"arena": arena, "agent": agent, "epoch": epoch}
        self._written: dict[str, int] | None = None
        self._file: int | None = None
        if path is not None:
            nothing = self._text({"made": 0, "resent": 0, "discarded": 0, "drained": False})
            write_atomically(path, nothing)  # no reader ever finds an empty file
            self._file = os.open(path, os.O_WRONLY)

    def write(self, made: int, resent: int, discarded: int, *, drained: bool = False) -> None:
        """Write the counts to the file, if they have changed.

        Args:
            made: Segments completed.
            resent: Times one was sent again.
            discarded: Incomplete segments dropped.
            drained: Whether this process ends, with all that it made durable.
        """
        counts = {"made": made, "resent": resent, "discarded": discarded, "drained": drained}
        if self._file is None or counts == self._written:
            return
        self._written = counts
        os.pwrite(self._file, self._text(counts).encode(), 0)

    def _text(self, counts: dict[str, int]) -> str:
        return json.dumps(self._actor | counts).ljust(_WIDTH - 1) + "\n"
