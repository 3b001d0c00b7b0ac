"""Appends JSON lines to a file, even if the disk is full for a while.

Lines that cannot be written stay in memory and are written later. If a killed writer left an
incomplete line, it is terminated first, so that the next line is not joined to it.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MAX_WAITING = 10_000  # lines in memory; beyond this the oldest are dropped


class JsonLinesFile:
    """A file to which this and other processes append whole lines.

    Args:
        path: The file. It is created when the first line is written.

    Attributes:
        fault: Why the last attempt to write failed; None if it did not.
        dropped: Lines that were never written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: OSError | None = None
        self.dropped = 0
        self._waiting: deque[bytes] = deque()
        self._file: int | None = None
        self._torn = b""  # a newline, if the file ends with an incomplete line
        self._has_begun = False  # whether part of the first waiting line is in the file

    @property
    def waiting(self) -> int:
        """Lines that are not in the file yet."""
        return len(self._waiting)

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write records as lines, after the waiting ones. What cannot be written waits.

        Args:
            records: Of finite numbers and other JSON values.
        """
        for record in records:
            self._waiting.append(json.dumps(record, allow_nan=False).encode() + b"\n")
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
            self._end_line()
        self.flush()

    def flush(self) -> None:
        """Write the waiting lines, as far as possible."""
        try:
            while self._waiting:
                self._write()
            self.fault = None
        except OSError as fault:
            self.fault = fault

    def close(self) -> None:
        """Write the waiting lines, if possible, and close the file."""
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
        """Terminate a line that was written in part and then dropped."""
        if self._has_begun:
            self._torn, self._has_begun = b"\n", False

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(file).st_size
        self._torn = b"\n" if size > 0 and os.pread(file, 1, size - 1) != b"\n" else b""
        return file
