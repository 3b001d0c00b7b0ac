"""An actor's account of its segments, in a file that outlives it however it dies."""

from __future__ import annotations

import json
import os
from pathlib import Path

_WIDTH = 256  # one write of one size replaces all of it, so that no half of it is ever read


class Ledger:
    """Keeps one actor incarnation's account on disk. What a killed process wrote stays.

    Args:
        path: The file, or None to keep none.
        arena, agent, epoch: Whose account it is.
    """

    def __init__(self, path: Path | None, arena: int, agent: int, epoch: int) -> None:
        self._whose = {"arena": arena, "agent": agent, "epoch": epoch}
        self._last: tuple[int, int, int] | None = None
        self._file: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def note(self, made: int, resent: int, discarded: int) -> None:
        """Write the account down, if it has changed."""
        account = (made, resent, discarded)
        if self._file is None or account == self._last:
            return
        self._last = account
        numbers = dict(zip(("made", "resent", "discarded"), account, strict=True))
        text = json.dumps(self._whose | numbers).ljust(_WIDTH - 1) + "\n"
        os.pwrite(self._file, text.encode(), 0)
