"""The learner's links to actors over ZeroMQ."""

from __future__ import annotations

from collections.abc import Iterator

from ssd_wire.codec import largest_frame, largest_message
from ssd_wire.dims import Dims
from ssd_wire.messages import Message, Segment
from ssd_wire.process.stop import Stop
from ssd_wire.pub_sub import Publisher
from ssd_wire.security.curve import SocketSecurity
from ssd_wire.sockets import Poller, Router


class ZmqLinks:
    """Segments and replies through a ROUTER socket, weights through a PUB socket.

    Args:
        stop: Ends waits when this process is asked to stop.
        segments: Endpoint that receives segments.
        weights: Endpoint that publishes weights.
        security: Of both sockets.
        agent: Whose actors are admitted.
        dims: Of the agent's messages.
    """

    def __init__(
        self,
        stop: Stop,
        segments: str,
        weights: str,
        security: SocketSecurity,
        agent: int,
        dims: Dims,
    ) -> None:
        allowed = (f"actor-{agent}",)
        largest = largest_frame((Segment,), dims.lengths), largest_message((Segment,), dims.lengths)
        self.router = Router(segments, security, allowed, *largest)
        self.publisher = Publisher(weights, security.server_options(allowed))
        self._stop = stop
        self.poller = Poller(stop, [self.router], reopened=[self.publisher])

    def wait(self, seconds: float) -> bool:
        """Return when messages have arrived or time is up; false when asked to stop."""
        self.publisher.read_topics()
        self.poller.wait(seconds)
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
