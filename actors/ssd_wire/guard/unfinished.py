"""How much has arrived over each TCP connection since its last complete message."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ssd_wire.guard.tcp import bytes_received

MAX_UNFINISHED = 64 << 20  # bytes, or more where messages are large
HEARTBEAT_BYTES = 1024  # ZeroMQ's heartbeats between two looks are fewer


class UnfinishedMessages:
    """Finds connections over which more has arrived than ZeroMQ would queue in complete messages.

    One thread calls `heard`, another `over_limit`.

    Args:
        port: Of the endpoint.
        limit: Bytes.
        received: Returns the bytes that have arrived at the port, by connection.
    """

    def __init__(
        self,
        port: int,
        limit: int,
        received: Callable[[int], dict[int, int]] = bytes_received,
    ) -> None:
        self._port = port
        self._limit = limit
        self._received = received
        self._heard: set[int] = set()  # who has sent a message since the last look
        self._finished: dict[int, int] = {}  # bytes that had arrived at the last look with one

    def heard(self, descriptor: int) -> None:
        """A complete message of this connection was read."""
        self._heard.add(descriptor)

    def over_limit(self) -> Iterator[tuple[int, int]]:
        """The descriptors of connections over the limit, each with its bytes."""
        heard, self._heard = self._heard, set()
        received = self._received(self._port)
        finished = {}
        for descriptor, count in received.items():
            before = self._finished.get(descriptor, 0)
            # If there were fewer before, it is another connection with the same descriptor.
            is_new = descriptor in heard or count < before
            finished[descriptor] = count if is_new else min(count, before + HEARTBEAT_BYTES)
        self._finished = finished
        for descriptor, count in received.items():
            if count - finished[descriptor] > self._limit:
                yield descriptor, count - finished[descriptor]
