"""What is fuzzed: a function of bytes that may raise nothing, and inputs to start from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One way into the processes for bytes from outside.

    Args:
        name: Names it on the command line.
        run: Gives it one input. Handles the errors that are documented, and raises all others.
        seeds: Valid inputs.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


class Reader:
    """Takes numbers and pieces from an input, and zeros when it is used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def piece(self, length: int) -> bytes:
        """At most so many bytes."""
        self._at += length
        return self._data[self._at - length : self._at]

    def number(self, length: int = 1) -> int:
        """An unsigned number of so many bytes."""
        return int.from_bytes(self.piece(length), "big")

    def natural(self) -> int:
        """A number that is small, near a power of 2, or anything: what counters have."""
        kind, value = divmod(self.number(), 64)
        if kind < 2:
            return value
        return (1 << value) - 1 if kind == 2 else self.number(8) >> 1

    def frames(self) -> list[bytes]:
        """The frames that `joined` joined."""
        return [self.piece(self.number(2)) for _ in range(self.number() % 32) if self]


def joined(frames: Iterable[bytes | memoryview]) -> bytes:
    """Frames as one input."""
    pieces = [bytes(frame) for frame in frames]
    return bytes([len(pieces)]) + b"".join(len(one).to_bytes(2, "big") + one for one in pieces)
