"""Writes the log of a process, at a bounded rate.

What peers do is logged, and a peer can do it again and again. So only the first lines from one
place in the code are written in each minute, and after it one line with how many more there were.
The metrics count all.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

LINES = 20  # from one place in the code, in a minute
WINDOW_SECONDS = 60.0

_log = logging.getLogger(__name__)


class LimitedLogHandler(logging.StreamHandler[TextIO]):
    """A handler of all log records of a process.

    Args:
        stream: Where lines go.
        clock: Returns seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._window_ends = clock() + WINDOW_SECONDS
        self._counts: Counter[tuple[str, int]] = Counter()  # by place in the code, in this window

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless there were too many from the same place."""
        now = self._clock()
        if now >= self._window_ends:
            self._report()
            self._window_ends = now + WINDOW_SECONDS
        place = (record.pathname, record.lineno)
        self._counts[place] += 1
        if self._counts[place] <= LINES:
            super().emit(record)
        if self._counts[place] == LINES:
            self._write("more lines like the last one are counted, and not logged for a minute")

    def close(self) -> None:
        """Write how many lines were left out last."""
        self._report()
        super().close()

    def _report(self) -> None:
        for (path, line), count in self._counts.items():
            if count > LINES:
                self._write("%d more lines from %s:%d were not logged", count - LINES, path, line)
        self._counts.clear()

    def _write(self, text: str, *arguments: object) -> None:
        level, where = logging.WARNING, (__file__, 0)
        super().emit(_log.makeRecord(_log.name, level, *where, text, arguments, None))
