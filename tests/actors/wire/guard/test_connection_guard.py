"""A peer that floods a server loses its connection, and nobody else does."""

import socket
import time
from contextlib import ExitStack, closing

import pytest
from tests.attacks import zmtp
from tests.until import until

from ssd_wire.codec import decode, encode
from ssd_wire.guard.connection_guard import (
    IGNORE_SECONDS,
    MAX_IGNORED,
    MAX_USELESS,
    ConnectionGuard,
)
from ssd_wire.guard.new_connections import FIRST_PAUSE
from ssd_wire.messages import Bye, Refused
from ssd_wire.sockets import Dealer, Router


@pytest.fixture
def opened():
    """Closes sockets when a test ends."""
    with ExitStack() as stack:
        yield lambda one: stack.enter_context(closing(one))


@pytest.fixture(params=["ipc", "tcp"])
def router(request, socket_dir, opened):
    endpoints = {"ipc": f"ipc://{socket_dir}/socket", "tcp": "tcp://127.0.0.1:0"}
    return opened(Router(endpoints[request.param]))


def epoch_of(frames):
    return decode(frames, (Bye,), {}).epoch


def epochs_received(router):
    return [epoch_of(frames) for _, frames in router.receive()]


def is_heard(dealer, router, epoch):
    def received():
        dealer.send(encode(Bye(epoch)))
        return epoch in epochs_received(router)

    return until(received)


class Guarded:
    """A guard with a clock, and the connections that it has ended."""

    def __init__(self):
        self.now = 1000.0
        self.ended = []
        self.guard = ConnectionGuard(
            "ipc://here", clock=lambda: self.now, end_connection=self.ended.append
        )


@pytest.fixture
def guarded():
    return Guarded()


def test_useless_messages_are_counted_by_the_second(guarded):
    for _ in range(3):
        for _ in range(MAX_USELESS - 1):
            guarded.guard.add_useless(b"1", 7)
        guarded.now += 1.0
    assert guarded.ended == []
    for _ in range(MAX_USELESS):
        guarded.guard.add_useless(b"1", 7)
    assert guarded.ended == [7]


def test_a_refused_peer_is_not_read_for_a_second_and_then_it_is(guarded):
    guarded.guard.ignore(b"1")
    assert not guarded.guard.admits(b"1", 7)
    assert guarded.guard.admits(b"2", 7)  # a new connection may have the descriptor of the old one
    guarded.now += IGNORE_SECONDS
    assert guarded.guard.admits(b"1", 7)


def test_the_connections_that_are_remembered_are_bounded(guarded):
    for number in range(MAX_IGNORED + 1):
        guarded.guard.ignore(b"%d" % number)
    assert guarded.guard.admits(b"0", 1)
    assert not guarded.guard.admits(b"1", 1)


@pytest.mark.parametrize("fatal", [True, False])
def test_a_peer_that_goes_on_after_refusals_loses_its_connection_and_others_do_not(
    router, opened, fatal
):
    dealer = opened(Dealer(router.endpoint))
    other = opened(Dealer(router.endpoint))
    assert is_heard(other, router, 1)
    hostile = 2
    refused = 0
    while router.guard.ended == 0:
        dealer.send(encode(Bye(hostile)))
        for peer, frames in router.receive():
            if epoch_of(frames) == hostile:
                router.send(peer, Refused("no", fatal=fatal))
                refused += 1
        for _ in dealer.receive():
            pass
    assert refused <= (1 if fatal else MAX_USELESS)
    assert is_heard(other, router, 3)
    assert router.guard.ended == 1


def test_a_message_that_never_ends_loses_its_connection_and_new_ones_have_to_wait(opened):
    router = opened(Router("tcp://127.0.0.1:0"))
    router.guard._unfinished._limit = 1 << 20
    port = int(router.endpoint.rpartition(":")[2])
    other = opened(Dealer(router.endpoint))
    assert is_heard(other, router, 1)
    part = zmtp.frame(bytes(100_000), more=True)
    with zmtp.connect(port) as hostile:
        hostile.settimeout(1.0)

        def is_cut_off():
            list(router.receive())
            try:
                hostile.sendall(part)
            except OSError:
                return True
            return False

        assert until(is_cut_off)
    assert router.guard.ended == 1
    assert is_heard(other, router, 2)

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=0.2)
    late = opened(Dealer(router.endpoint))
    assert is_heard(late, router, 3)
    assert time.monotonic() - began > FIRST_PAUSE / 2
