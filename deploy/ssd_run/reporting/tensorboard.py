"""TensorBoard's event files, written without torch, and without a thread or a queue.

tensorboardX's own writer has a queue that a thread empties. When the disk is full that thread dies,
and then the full queue blocks the launcher. So events are written here, and a fault is seen.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

Scalar = tuple[str, float | None, int]  # name, value, and place on the x axis


class TensorBoard:
    """Event files of one launch in a folder.

    Args:
        folder: It is created if need be.

    Attributes:
        fault: Why the last attempt to write failed; None where it did not.
    """

    def __init__(self, folder: Path) -> None:
        self.fault: OSError | None = None
        self._folder = folder
        self._open, self._event = _load_library()
        self._file: Any = None

    def add(self, scalars: Iterable[Scalar], now: float) -> None:
        """Write scalars. Where that fails they are given up, and the next ones go into a new file.

        Args:
            scalars: Those without a value are left out.
            now: Unix time in seconds.
        """
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self._open(str(self._folder / _file_name(now)))
                self._write(wall_time=now, file_version="brain.Event:2")
            for name, value, step in scalars:
                if value is not None:
                    self._write(name, value, step=step, wall_time=now)
            self._file.flush()
            self.fault = None
        except OSError as fault:
            self.fault = fault
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, name: str = "", value: float = 0.0, **fields: Any) -> None:
        """Write an event, with a scalar if it is named."""
        event = self._event(**fields)
        if name:
            event.summary.value.add(tag=name, simple_value=value)
        self._file.write(event.SerializeToString())


def _file_name(now: float) -> str:
    """As TensorBoard looks for it, and of its own for each file."""
    return f"events.out.tfevents.{now:.3f}.{socket.gethostname()}"


def _load_library() -> tuple[Any, Any]:
    """From tensorboardX the class that writes records, and that of an event.

    tensorboardX loads torch wherever it is installed, 200 MB and seconds, for things that are no
    scalars. It does without where torch is missing: so torch is missing while it loads.
    """
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]  # Python's way to forbid an import
    try:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import RecordWriter
    finally:
        if hidden:
            del sys.modules["torch"]
    return RecordWriter, Event
