"""A peer that was refused for good costs a server little, whatever it goes on sending."""

from contextlib import closing

import pytest
from tests.until import until

from ssd_wire.codec import encode
from ssd_wire.ignored_peers import (
    IGNORE_SECONDS,
    LONGEST_PAUSE,
    MAX_IGNORED_PEERS,
    MAX_IN_A_ROW,
    IgnoredPeers,
)
from ssd_wire.messages import Bye, Refused
from ssd_wire.sockets import Dealer, Router


class Clock:
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def read(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ignored(clock):
    return IgnoredPeers(clock.read, clock.slept.append)


def test_messages_are_dropped_for_a_second_and_those_of_others_are_not(ignored, clock):
    ignored.add(b"bad")
    assert ignored.drops(b"bad")
    assert not ignored.drops(b"good")
    clock.now += IGNORE_SECONDS
    assert not ignored.drops(b"bad")
    assert ignored.dropped == 1


def test_after_so_many_dropped_messages_other_work_goes_on_after_a_short_rest(ignored, clock):
    ignored.add(b"bad")
    ignored.begin()
    for number in range(MAX_IN_A_ROW):
        clock.now += 0.002  # work on a message of another peer
        ignored.begin_message()
        clock.now += 0.0001
        assert ignored.drops(b"bad")
        assert ignored.pause_if_due() == (number == MAX_IN_A_ROW - 1)
    assert clock.slept == [pytest.approx(4 * MAX_IN_A_ROW * 0.0001)]


def test_a_rest_has_a_longest_time(ignored, clock):
    ignored.add(b"bad")
    ignored.begin()
    for _ in range(MAX_IN_A_ROW):
        ignored.begin_message()
        clock.now += 0.02
        ignored.drops(b"bad")
    assert ignored.pause_if_due()
    assert clock.slept == [LONGEST_PAUSE]


def test_the_connections_that_are_remembered_are_bounded(ignored):
    for number in range(MAX_IGNORED_PEERS + 10):
        ignored.add(b"%d" % number)
    assert not ignored.drops(b"9")
    assert ignored.drops(b"10")


@pytest.fixture
def router(socket_dir):
    made = Router(f"ipc://{socket_dir}/socket")
    yield made
    made.close()


@pytest.fixture
def dealer(router):
    made = Dealer(router.endpoint)
    yield made
    made.close()


@pytest.mark.parametrize("fatal", [True, False])
def test_a_router_drops_what_a_peer_sends_after_a_fatal_refusal(router, dealer, fatal):
    with closing(Dealer(router.endpoint)) as other:
        until(lambda: dealer.send(encode(Bye(1))))
        [(peer, _)] = until(lambda: list(router.receive()))
        router.send(peer, Refused("no", fatal=fatal))
        dealer.send(encode(Bye(2)))
        until(lambda: other.send(encode(Bye(3))))
        ignored, received = router.ignored, {}
        until(lambda: received.update(router.receive()) or len(received) + ignored.dropped == 2)
    assert (peer in received) != fatal
    assert ignored.dropped == int(fatal)
