"""The learner's links to actors over ZeroMQ."""

from __future__ import annotations

from collections.abc import Iterator

from ssd_wire.links import Publisher, Router, Waiting
from ssd_wire.messages import Message
from ssd_wire.stop import Stop


class ZmqLinks:
    """Segments and replies through a ROUTER socket, weights through a PUB socket.

    Args:
        stop: Ends waits when this process is asked to stop.
        segments: Endpoint that receives segments.
        weights: Endpoint that publishes weights.
    """

    def __init__(self, stop: Stop, segments: str, weights: str) -> None:
        self.router = Router(segments)
        self.publisher = Publisher(weights)
        self._stop = stop
        self._waiting = Waiting(stop, [self.router])

    def wait(self, seconds: float) -> bool:
        """Return when messages have arrived or time is up; false when asked to stop."""
        self._waiting.wait(seconds)
        return not self._stop.requested

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All messages that have arrived."""
        return self.router.receive()

    def send(self, peer: bytes, message: Message) -> bool:
        """Send a message without blocking."""
        return self.router.send(peer, message)

    def publish(self, frame: bytes) -> None:
        """Send a frame to all subscribers."""
        self.publisher.publish(frame)
