"""Files of JSON lines that another process may be writing: read as they grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Tail:
    """Reads the complete lines that were added to a file since the last read.

    Lines that are not JSON objects are skipped: a writer that is killed leaves a part of a line.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """The objects on new complete lines; a partial line is read once it is complete."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        parsed = [_parse(line) for line in whole.splitlines()]
        return [line for line in parsed if line is not None]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All objects in a file; none when there is no file."""
    return Tail(path).read()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
