"""Messages as lines of JSON, over the standard input and output of a job step."""

from __future__ import annotations

import json
import os
from typing import Any

READ_BYTES = 1 << 16

Message = dict[str, Any]


class JsonReader:
    """Reads messages from a pipe without waiting.

    Args:
        descriptor: Of the pipe.

    Attributes:
        ended: Whether the writer has closed it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._partial = b""
        self.ended = False
        os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """The descriptor, to select on."""
        return self._descriptor

    def read(self) -> list[Message]:
        """The messages that have arrived completely.

        Raises:
            ValueError: when a line is not JSON.
        """
        while not self.ended:
            try:
                data = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:
                break
            self.ended = not data
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        return [json.loads(line) for line in lines]


def write_message(descriptor: int, message: Message) -> None:
    """Write a message.

    Raises:
        OSError: when the reader has ended.
    """
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]
