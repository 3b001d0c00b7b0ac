"""Files of JSON lines that another process may be writing: read as they grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Tail:
    """Reads what was added to a file since the last time, whole lines only.

    Args:
        path: The file; it need not exist yet.

    Attributes:
        damaged: Lines that are no JSON object, as a writer leaves that is killed while it writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """The objects on the lines that were completed since; a half line waits for its end."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        parsed = [_parse(line) for line in whole.splitlines()]
        self.damaged += parsed.count(None)
        return [line for line in parsed if line is not None]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole objects in a file; none when there is no file."""
    return Tail(path).read()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
