"""Ends of an environment server's loop that tests choose."""

from collections import deque
from dataclasses import dataclass


@dataclass
class StopRequest:
    """What the loop checks before each round."""

    requested: bool = False


@dataclass
class StopsWhenIdle:
    """A poller that ends the loop where it would wait without a message."""

    stop: StopRequest
    arrived: deque

    def wait(self, _seconds):
        self.stop.requested = not self.arrived


@dataclass
class StopsAfterOneRound:
    """A poller that ends the loop after one round."""

    stop: StopRequest

    def wait(self, _seconds):
        self.stop.requested = True


def serve_one_round(server):
    """Handle what has arrived; return where the loop would wait."""
    stop = StopRequest()
    server.serve(stop, StopsAfterOneRound(stop))
