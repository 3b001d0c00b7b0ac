"""What stands in for a server's connection, a subscription to weights, and a clock."""

from collections import deque

from ssd_wire.codec import decode, encode
from ssd_wire.messages import Ack, Act, Bye, Hello, Join, Refused, Seat, Segment, Timestep, Welcome

MESSAGES = (Join, Seat, Timestep, Act, Hello, Welcome, Segment, Ack, Refused, Bye)


def read(frames):
    """Any message, whatever its receiver."""
    return decode([bytes(frame) for frame in frames], MESSAGES, {})


class Clock:
    """A clock that a test sets: `now`, in seconds."""

    def __init__(self):
        self.now = 100.0

    def read(self):
        return self.now


class ListConnection:
    """A connection made of lists: what was sent, as messages, and what has arrived, as frames."""

    def __init__(self):
        self.dropped = 0
        self.is_blocked = False
        self.reopened = 0
        self.sent = []
        self.sent_bytes = []
        self._arrived = deque()

    def send(self, frames):
        if self.is_blocked:
            return False
        self.sent_bytes.append(b"".join(bytes(frame) for frame in frames))
        self.sent.append(read(frames))
        return True

    def arrive(self, *messages):
        for message in messages:
            frames = message if isinstance(message, list) else encode(message)
            self._arrived.append([bytes(frame) for frame in frames])

    def receive(self):
        while self._arrived:
            yield self._arrived.popleft()

    def reopen(self):
        self.reopened += 1
        self._arrived.clear()

    def take_sent(self):
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent


class ListSubscription:
    """Published weights: the newest frame, until it is taken."""

    def __init__(self):
        self.frame = None
        self.reopened = 0

    def reopen(self):
        self.reopened += 1

    def newest(self):
        frame, self.frame = self.frame, None
        return frame
