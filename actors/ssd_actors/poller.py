"""Waiting for messages from several connections, or for the request to stop."""

from __future__ import annotations

from typing import Protocol


class Poller(Protocol):
    """Waits for messages: `ssd_wire.sockets.Poller` in production, a simulated clock in tests."""

    def wait(self, seconds: float) -> bool:
        """Return when a message arrived or the time is up; false when asked to stop."""
