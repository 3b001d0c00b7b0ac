"""How much has arrived over a connection without a complete message."""

import pytest

from ssd_wire.codec import encode, largest_message
from ssd_wire.guard.unfinished import HEARTBEAT_BYTES, UnfinishedMessages
from ssd_wire.messages import Act, Segment, Timestep

LIMIT = 5000


class Connections:
    """What has arrived over the connections 1 to 9, which a test sets."""

    def __init__(self):
        self.received = {}
        self.unfinished = UnfinishedMessages(5, LIMIT, lambda _port: dict(self.received))

    def look(self, **received):
        """What has arrived so far, as "c1" to "c9"; which of them are over the limit."""
        self.received |= {int(name[1:]): count for name, count in received.items()}
        return dict(self.unfinished.over_limit())


@pytest.fixture
def connections():
    return Connections()


def test_a_connection_with_too_much_is_found_and_no_other(connections):
    assert connections.look(c1=2000, c2=10) == {}
    assert connections.look(c1=LIMIT + 2 * HEARTBEAT_BYTES, c2=20) == {}
    assert connections.look(c1=LIMIT + 3 * HEARTBEAT_BYTES + 1) == {1: LIMIT + 1}


def test_any_amount_may_arrive_in_messages(connections):
    for total in range(0, 100_000, LIMIT):
        connections.unfinished.heard(1)
        assert connections.look(c1=total) == {}
    more = LIMIT + HEARTBEAT_BYTES + 1
    assert connections.look(c1=total + more) == {1: LIMIT + 1}


def test_heartbeats_of_a_connection_without_messages_never_reach_the_limit(connections):
    for look in range(20):
        assert connections.look(c1=look * HEARTBEAT_BYTES) == {}


def test_a_new_connection_with_the_descriptor_of_another_is_counted_anew(connections):
    connections.unfinished.heard(1)
    connections.look(c1=100_000)
    assert connections.look(c1=900) == {}
    assert connections.look(c1=1000) == {}


@pytest.mark.parametrize("kind", [Act, Timestep, Segment])
def test_no_message_of_a_run_is_larger_than_is_said(kind, draw_message, lengths):
    large = lengths | {"B": 700, "T": 20}
    size = sum(memoryview(frame).nbytes for frame in encode(draw_message(kind, large)))
    assert size <= largest_message((kind,), large) <= size + (1 << 16)
