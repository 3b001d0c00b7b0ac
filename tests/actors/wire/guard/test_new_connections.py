"""After a flood no new connections are accepted for a while, and others get one all the same."""

import pytest

from ssd_wire.guard.new_connections import (
    ACCEPTED_SECONDS,
    CALM_SECONDS,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    NewConnections,
)

PORT = 5


class Endpoint:
    """An endpoint whose clock a test sets."""

    def __init__(self, port=PORT):
        self.now = 1000.0
        self.said = []
        self.connections = NewConnections(port, lambda: self.now, self.accept)

    def accept(self, port, *, accepted):
        self.said.append((port, accepted))

    def later(self, seconds):
        self.now += seconds
        self.connections.update()
        return self.connections.accepted

    def pause_length(self):
        """Seconds of a pause that begins now or as soon as it may."""
        self.connections.pause()
        while self.connections.accepted:
            self.later(0.25)
        began = self.now
        while not self.later(0.25):
            pass
        return self.now - began


@pytest.fixture
def endpoint():
    return Endpoint()


def test_a_pause_begins_at_once_and_ends_by_itself(endpoint):
    endpoint.connections.pause()
    assert endpoint.said == [(PORT, False)]
    assert not endpoint.later(FIRST_PAUSE - 0.1)
    assert endpoint.later(0.1)
    assert endpoint.said == [(PORT, False), (PORT, True)]


def test_a_second_flood_during_a_pause_changes_nothing(endpoint):
    endpoint.connections.pause()
    endpoint.later(1.0)
    endpoint.connections.pause()
    assert endpoint.later(FIRST_PAUSE - 1.0)
    assert endpoint.later(100.0)


def test_between_two_pauses_connections_are_accepted_for_a_while(endpoint):
    endpoint.connections.pause()
    endpoint.later(FIRST_PAUSE)
    endpoint.connections.pause()
    assert endpoint.later(ACCEPTED_SECONDS - 0.1)
    assert not endpoint.later(0.1)


def test_pauses_grow_up_to_a_limit_and_are_short_again_after_a_calm_time(endpoint):
    assert [endpoint.pause_length() for _ in range(4)] == [
        FIRST_PAUSE,
        2 * FIRST_PAUSE,
        LONGEST_PAUSE,
        LONGEST_PAUSE,
    ]
    endpoint.later(CALM_SECONDS + 1)
    assert endpoint.pause_length() == FIRST_PAUSE


def test_an_endpoint_that_was_bound_again_accepts_connections(endpoint):
    endpoint.connections.pause()
    endpoint.connections.bound_again()
    assert endpoint.connections.accepted
    endpoint.connections.pause()
    assert not endpoint.connections.accepted


def test_an_endpoint_without_tcp_always_accepts_connections():
    endpoint = Endpoint(port=None)
    endpoint.connections.pause()
    assert endpoint.later(1.0)
    assert endpoint.said == []
