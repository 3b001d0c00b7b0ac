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
        self._written: tuple[int, int, int] | None = None
        self._file: int | None = None
        if path is not None:
            write_atomically(path, self._text(0, 0, 0))  # no reader ever finds an empty file
            self._file = os.open(path, os.O_WRONLY)

    def write(self, made: int, resent: int, discarded: int) -> None:
        """Write the counts to the file, if they have changed."""
        counts = (made, resent, discarded)
        if self._file is None or counts == self._written:
            return
        self._written = counts
        os.pwrite(self._file, self._text(*counts).encode(), 0)

    def _text(self, made: int, resent: int, discarded: int) -> str:
        counts = {"made": made, "resent": resent, "discarded": discarded}
        return json.dumps(self._actor | counts).ljust(_WIDTH - 1) + "\n"
