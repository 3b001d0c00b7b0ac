"""TensorBoard's event files, written without torch, and without a thread or a queue.

The writer of tensorboardX has a queue that a thread empties. When the disk is full, that thread
dies, and then the full queue blocks the launcher. So events are written here, with their errors.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

Scalar = tuple[str, float | None, int]  # name, value, step


class TensorBoard:
    """The event files of one launch.

    Args:
        folder: Of the files; it is created if necessary.

    Attributes:
        fault: Why the last attempt to write failed; None where it did not.
    """

    def __init__(self, folder: Path) -> None:
        self.fault: OSError | None = None
        self._folder = folder
        self._open, self._event = _load_library()
        self._file: Any = None

    def add(self, scalars: Iterable[Scalar], now: float) -> None:
        """Write scalars. If that fails they are dropped, and the next ones go into a new file.

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
        """Close the file."""
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
    """A unique name of the form that TensorBoard expects."""
    return f"events.out.tfevents.{now:.3f}.{socket.gethostname()}"


def _load_library() -> tuple[Any, Any]:
    """Import tensorboardX's record writer and event classes, without torch.

    tensorboardX imports torch if it can, which takes 200 MB and seconds, for other things than
    scalars. So the import of torch is forbidden while tensorboardX is imported.
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
