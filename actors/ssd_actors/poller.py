"""Waiting for messages from several connections, or for the request to stop."""

from __future__ import annotations

from typing import Protocol

from ssd_wire.links import Dealer, Subscriber, Waiting
from ssd_wire.stop import Stop


class Poller(Protocol):
    """Waits for messages: ZeroMQ in production, a simulated clock in tests."""

    def wait(self, seconds: float) -> bool:
        """Return when a message arrived or the time is up; false when asked to stop."""


class ZmqPoller:
    """Waits for messages on ZeroMQ sockets."""

    def __init__(self, stop: Stop, *links: Dealer | Subscriber) -> None:
        self._stop = stop
        self._waiting = Waiting(stop, links)

    def wait(self, seconds: float) -> bool:
        """Return when a message arrived or the time is up; false when asked to stop."""
        self._waiting.wait(seconds)
        return not self._stop.requested
