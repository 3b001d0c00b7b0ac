"""Appending JSON lines to a file, on a disk that may be full for a while.

Lines that cannot be written wait in memory and are written later. A piece of a line that a killed
writer left is ended before the next line begins, so that no line is ever joined to it.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MAX_WAITING = 10_000  # lines in memory; then the oldest are dropped


class JsonLinesFile:
    """One file that this process appends to. Others may append whole lines to it too.

    Args:
        path: The file. It is created when the first line is written.

    Attributes:
        fault: Why the last attempt to write failed; None where it did not.
        dropped: Lines that were given up.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: OSError | None = None
        self.dropped = 0
        self._waiting: deque[bytes] = deque()
        self._file: int | None = None
        self._torn = b""  # a newline, where the file ends with a piece of a line that stays one
        self._has_begun = False  # whether the first line that waits has been written in part

    @property
    def waiting(self) -> int:
        """Lines that are not in the file yet."""
        return len(self._waiting)

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write records as lines, after all that wait; what cannot be written waits.

        Args:
            records: Of finite numbers and whatever else JSON knows.
        """
        for record in records:
            self._waiting.append(json.dumps(record, allow_nan=False).encode() + b"\n")
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
            self._end_line()
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as that is possible now."""
        try:
            while self._waiting:
                self._write()
            self.fault = None
        except OSError as fault:
            self.fault = fault

    def close(self) -> None:
        """Write what waits, if possible, and let go of the file."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self) -> None:
        if self._file is None:
            self._file = self._open()
        data = self._torn + b"".join(self._waiting)
        written = os.write(self._file, data)
        if written:
            self._has_begun = data[written - 1 : written] != b"\n"
            self._torn = b""
            self._waiting = deque(data[written:].splitlines(keepends=True))

    def _end_line(self) -> None:
        """The line that has been written in part is given up: end it before the next one."""
        if self._has_begun:
            self._torn, self._has_begun = b"\n", False

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(file).st_size
        self._torn = b"\n" if size > 0 and os.pread(file, 1, size - 1) != b"\n" else b""
        return file
