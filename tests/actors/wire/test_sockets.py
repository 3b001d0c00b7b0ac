"""Sockets: no send blocks, dropped messages are counted, subscribers get the newest message."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np
import pytest
import zmq
from tests.until import until

from ssd_wire.codec import decode, encode
from ssd_wire.errors import EndpointError
from ssd_wire.messages import Bye, Refused, Welcome
from ssd_wire.pub_sub import Publisher, Subscriber
from ssd_wire.sockets import Dealer, Poller, Router


@dataclass
class NoStop:
    """A stop that nobody requests."""

    descriptors: tuple[int, ...] = ()
    requested: bool = False


TIMEOUT = 20.0  # seconds
BLOCKED = 5.0  # seconds; no send takes as long, however busy the machine is
LARGE = Welcome(1, 1, 0, 0, 0, 1, complete=False, weights=np.zeros(1_000_000, np.uint8))

DEALER_THAT_NEVER_RECEIVES = """
import sys, time
from ssd_wire.codec import encode
from ssd_wire.sockets import Dealer
from ssd_wire.messages import Bye
dealer = Dealer(sys.argv[1])
while not dealer.send(encode(Bye(1))):
    time.sleep(0.01)
time.sleep(60)
"""

ROUTER_THAT_NEVER_RECEIVES = """
import sys, time
from ssd_wire.sockets import Router
router = Router(sys.argv[1])
time.sleep(60)
"""


@pytest.fixture
def endpoint(socket_dir):
    return f"ipc://{socket_dir}/socket"


@pytest.fixture
def router(endpoint):
    with closing(Router(endpoint)) as router:
        yield router


@pytest.fixture
def dealer(endpoint):
    with closing(Dealer(endpoint)) as dealer:
        yield dealer


@pytest.fixture
def stopped_process(endpoint):
    """Start a process that runs this script, and stop it once it is ready."""
    started = []

    def start(script, is_ready):
        process = subprocess.Popen([sys.executable, "-c", script, endpoint])
        started.append(process)
        result = until(is_ready)
        os.kill(process.pid, signal.SIGSTOP)
        return result

    yield start
    for process in started:
        process.kill()
        process.wait()


def sent_until_refused(send, most=1000):
    """Send large messages until one is refused; the longest that one took, in seconds."""
    longest = 0.0
    for _ in range(most):
        began = time.monotonic()
        taken = send()
        longest = max(longest, time.monotonic() - began)
        if not taken:
            return longest
    raise AssertionError("every message was accepted")


def test_a_router_answers_the_sender(router, dealer):
    until(lambda: dealer.send(encode(Bye(5))))
    [(peer, frames)] = until(lambda: list(router.receive()))
    assert decode(frames, (Bye,), {}).epoch == 5
    assert router.send(peer, Refused("no", fatal=True))
    [frames] = until(lambda: list(dealer.receive()))
    assert decode(frames, (Refused,), {}).reason == "no"


def test_a_router_counts_messages_to_unknown_peers_as_dropped(router):
    assert not router.send(b"unknown", Bye(1))
    assert not router.send(b"unknown", Bye(1))
    assert router.dropped == 2


def test_a_dealer_without_a_server_counts_messages_as_dropped(dealer):
    assert not dealer.send(encode(Bye(1)))
    assert not dealer.send(encode(LARGE))
    assert dealer.dropped == 2
    assert list(dealer.receive()) == []


def test_a_dealer_connects_to_a_server_that_starts_later_and_to_its_successor(endpoint, dealer):
    for epoch in (1, 2):
        with closing(Router(endpoint)) as router:
            until(lambda epoch=epoch: dealer.send(encode(Bye(epoch))))
            [(_, frames)] = until(lambda router=router: list(router.receive()))
            assert decode(frames, (Bye,), {}).epoch == epoch
        until(lambda: not dealer.send(encode(Bye(0))))  # it has noticed that the server is gone


def test_a_reopened_dealer_is_a_new_peer_and_messages_in_flight_are_lost(router, dealer):
    until(lambda: dealer.send(encode(Bye(1))))
    [(before, _)] = until(lambda: list(router.receive()))
    assert router.send(before, Refused("no", fatal=True))
    dealer.reopen()
    until(lambda: dealer.send(encode(Bye(2))))
    [(after, frames)] = until(lambda: list(router.receive()))
    assert after != before
    assert decode(frames, (Bye,), {}).epoch == 2
    assert list(dealer.receive()) == []
    until(lambda: not router.send(before, Refused("no", fatal=True)))
    assert router.send(after, Refused("yes", fatal=True))
    [frames] = until(lambda: list(dealer.receive()))
    assert decode(frames, (Refused,), {}).reason == "yes"


def test_a_poller_wakes_for_a_reopened_socket(router, dealer, endpoint):
    with closing(Dealer(endpoint)) as other:
        poller = Poller(NoStop(), [other, dealer])
        dealer.reopen()
        poller.wait(0)
        until(lambda: dealer.send(encode(Bye(1))))
        [(peer, _)] = until(lambda: list(router.receive()))
        router.send(peer, Refused("yes", fatal=True))
        began = time.monotonic()
        poller.wait(TIMEOUT)
        assert time.monotonic() - began < TIMEOUT
        assert list(dealer.receive())


def test_a_peer_that_takes_anothers_routing_id_harms_no_other_peer(router, dealer, endpoint):
    with ExitStack() as stack:
        for epoch in range(4):
            intruder = stack.enter_context(zmq.Context.instance().socket(zmq.DEALER))
            intruder.setsockopt(zmq.IDENTITY, b"mine")
            intruder.setsockopt(zmq.LINGER, 0)
            intruder.connect(endpoint)
            intruder.send_multipart(encode(Bye(epoch)))
            [(peer, _)] = until(lambda: list(router.receive()))
            assert peer == b"mine"
            assert router.send(peer, Refused("no", fatal=False))
            assert until(lambda intruder=intruder: intruder.poll(0))  # the newest one
    until(lambda: dealer.send(encode(Bye(9))))
    [(peer, _)] = until(lambda: list(router.receive()))
    assert router.send(peer, Refused("no", fatal=False))


def test_a_stopped_actor_does_not_block_a_server(router, dealer, stopped_process):
    [(stopped, _)] = stopped_process(DEALER_THAT_NEVER_RECEIVES, lambda: list(router.receive()))
    assert sent_until_refused(lambda: router.send(stopped, LARGE)) < BLOCKED
    assert router.dropped == 1

    until(lambda: dealer.send(encode(Bye(1))))
    [(peer, _)] = until(lambda: list(router.receive()))
    assert router.send(peer, LARGE)  # others are still served


def test_a_stopped_server_does_not_block_an_actor(dealer, stopped_process):
    stopped_process(ROUTER_THAT_NEVER_RECEIVES, lambda: dealer.send(encode(Bye(1))))
    frames = encode(LARGE)
    dropped = dealer.dropped
    assert sent_until_refused(lambda: dealer.send(frames)) < BLOCKED
    assert dealer.dropped == dropped + 1


def test_a_busy_subscriber_gets_only_the_newest_message(endpoint):
    with closing(Publisher(endpoint)) as publisher, closing(Subscriber(endpoint)) as subscriber:
        assert subscriber.newest() is None

        def received():
            publisher.publish(b"first")
            return subscriber.newest()

        assert until(received) == b"first"
        for number in range(20):
            publisher.publish(b"%d" % number)
        for _ in range(5):
            time.sleep(0.1)
            publisher.publish(b"newest")
        time.sleep(0.1)
        assert subscriber.newest() == b"newest"
        assert subscriber.newest() is None


def test_a_publisher_does_not_block(endpoint):
    with closing(Publisher(endpoint)) as publisher, closing(Subscriber(endpoint)):
        began = time.monotonic()
        for _ in range(200):
            publisher.publish(bytes(1_000_000))
        assert time.monotonic() - began < TIMEOUT


@pytest.mark.parametrize("kind", [Router, Publisher])
def test_a_second_bind_to_an_ipc_endpoint_is_refused(kind, router):
    with pytest.raises(EndpointError, match=f"{router.endpoint} is in use by another process"):
        kind(router.endpoint)


@pytest.mark.parametrize("kind", [Router, Publisher])
def test_a_second_bind_to_a_port_is_refused(kind):
    with (
        closing(Router("tcp://127.0.0.1:*")) as holder,
        pytest.raises(EndpointError, match=f"{holder.endpoint}: .*in use"),
    ):
        kind(holder.endpoint)


@pytest.mark.parametrize("port", ["0", "*"])
def test_the_endpoint_has_the_port_that_was_chosen(port):
    with closing(Router(f"tcp://127.0.0.1:{port}")) as router:
        assert int(router.endpoint.removeprefix("tcp://127.0.0.1:")) > 0
        with closing(Dealer(router.endpoint)) as dealer:
            until(lambda: dealer.send(encode(Bye(1))))


@pytest.mark.parametrize("bad", ["tcp://10.0.0.5:5555", "ipc:///" + "x" * 200, "not an endpoint"])
@pytest.mark.parametrize("kind", [Router, Publisher, Subscriber, Dealer])
def test_no_socket_is_created_for_an_unusable_endpoint(kind, bad):
    with pytest.raises(EndpointError, match="wanted"):
        kind(bad)


def test_connecting_to_a_wildcard_port_is_refused():
    with pytest.raises(EndpointError, match=r"tcp://127\.0\.0\.1:\*: cannot be used"):
        Subscriber("tcp://127.0.0.1:*")


def test_a_socket_in_a_folder_that_cannot_exist_is_refused(socket_dir):
    (socket_dir / "file").touch()
    with pytest.raises(EndpointError, match="cannot be locked"):
        Router(f"ipc://{socket_dir}/file/socket")
