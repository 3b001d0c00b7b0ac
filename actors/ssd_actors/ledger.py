"""An actor's segment counts, in a file that survives however the process ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

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
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def write(self, made: int, resent: int, discarded: int) -> None:
        """Write the counts to the file, if they have changed."""
        counts = (made, resent, discarded)
        if self._file is None or counts == self._written:
            return
        self._written = counts
        named = dict(zip(("made", "resent", "discarded"), counts, strict=True))
        text = json.dumps(self._actor | named).ljust(_WIDTH - 1) + "\n"
        os.pwrite(self._file, text.encode(), 0)
