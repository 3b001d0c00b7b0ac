"""Links: no send blocks, what cannot be sent is counted, and news are the newest."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from types import SimpleNamespace

import numpy as np
import pytest
import zmq
from tests.until import until

from ssd_wire.codec import decode, encode
from ssd_wire.errors import EndpointError
from ssd_wire.messages import Bye, Refused, Welcome
from ssd_wire.sockets import Dealer, Poller, Publisher, Router, Subscriber

PATIENCE = 20.0  # seconds until something that must happen is taken not to
FROZEN = 5.0  # seconds that no send takes, however busy the machine is
LARGE = Welcome(1, 1, 0, 0, 0, 1, complete=False, weights=np.zeros(1_000_000, np.uint8))

DEALER_THAT_HEARS_NOTHING = """
import sys, time
from ssd_wire.codec import encode
from ssd_wire.sockets import Dealer
from ssd_wire.messages import Bye
dealer = Dealer(sys.argv[1])
while not dealer.send(encode(Bye(1))):
    time.sleep(0.01)
time.sleep(60)
"""

ROUTER_THAT_HEARS_NOTHING = """
import sys, time
from ssd_wire.sockets import Router
router = Router(sys.argv[1])
time.sleep(60)
"""


@pytest.fixture
def endpoint(socket_dir):
    return f"ipc://{socket_dir}/line"


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
    raise AssertionError("every message was taken")


def test_a_router_answers_whoever_wrote(router, dealer):
    until(lambda: dealer.send(encode(Bye(5))))
    [(peer, frames)] = until(lambda: list(router.receive()))
    assert decode(frames, (Bye,), {}).epoch == 5
    assert router.send(peer, Refused("no", fatal=True))
    [frames] = until(lambda: list(dealer.receive()))
    assert decode(frames, (Refused,), {}).reason == "no"


def test_a_router_refuses_to_send_to_whom_it_does_not_know_and_counts_it(router):
    assert not router.send(b"nobody", Bye(1))
    assert not router.send(b"nobody", Bye(1))
    assert router.dropped == 2


def test_a_dealer_without_a_server_refuses_to_send_and_counts_it(dealer):
    assert not dealer.send(encode(Bye(1)))
    assert not dealer.send(encode(LARGE))
    assert dealer.dropped == 2
    assert list(dealer.receive()) == []


def test_a_dealer_finds_a_server_that_comes_later_and_one_that_comes_after_it(endpoint, dealer):
    for epoch in (1, 2):
        with closing(Router(endpoint)) as router:
            until(lambda epoch=epoch: dealer.send(encode(Bye(epoch))))
            [(_, frames)] = until(lambda router=router: list(router.receive()))
            assert decode(frames, (Bye,), {}).epoch == epoch
        until(lambda: not dealer.send(encode(Bye(0))))  # it has noticed that the server is gone


def test_a_dealer_that_reopens_is_another_peer_and_what_was_on_its_way_is_gone(router, dealer):
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


def test_whoever_waits_for_a_link_hears_it_after_it_was_reopened(router, dealer, endpoint):
    with closing(Dealer(endpoint)) as other:
        waiting = Poller(SimpleNamespace(descriptors=(), requested=False), [other, dealer])
        dealer.reopen()
        waiting.wait(0)
        until(lambda: dealer.send(encode(Bye(1))))
        [(peer, _)] = until(lambda: list(router.receive()))
        router.send(peer, Refused("yes", fatal=True))
        began = time.monotonic()
        waiting.wait(PATIENCE)
        assert time.monotonic() - began < PATIENCE
        assert list(dealer.receive())


def test_who_takes_anothers_number_against_the_protocol_harms_nobody_else(router, dealer, endpoint):
    with ExitStack() as stack:
        for epoch in range(4):
            thief = stack.enter_context(zmq.Context.instance().socket(zmq.DEALER))
            thief.setsockopt(zmq.IDENTITY, b"mine")
            thief.setsockopt(zmq.LINGER, 0)
            thief.connect(endpoint)
            thief.send_multipart(encode(Bye(epoch)))
            [(peer, _)] = until(lambda: list(router.receive()))
            assert peer == b"mine"
            assert router.send(peer, Refused("no", fatal=True))
            assert until(lambda thief=thief: thief.poll(0))  # the newest of them is answered
    until(lambda: dealer.send(encode(Bye(9))))
    [(peer, _)] = until(lambda: list(router.receive()))
    assert router.send(peer, Refused("no", fatal=True))


def test_a_stopped_actor_freezes_no_server(router, dealer, stopped_process):
    [(deaf, _)] = stopped_process(DEALER_THAT_HEARS_NOTHING, lambda: list(router.receive()))
    assert sent_until_refused(lambda: router.send(deaf, LARGE)) < FROZEN
    assert router.dropped == 1

    until(lambda: dealer.send(encode(Bye(1))))
    [(peer, _)] = until(lambda: list(router.receive()))
    assert router.send(peer, LARGE)  # the others are served as ever


def test_a_stopped_server_freezes_no_actor(dealer, stopped_process):
    stopped_process(ROUTER_THAT_HEARS_NOTHING, lambda: dealer.send(encode(Bye(1))))
    frames = encode(LARGE)
    dropped = dealer.dropped
    assert sent_until_refused(lambda: dealer.send(frames)) < FROZEN
    assert dealer.dropped == dropped + 1


def test_a_subscriber_that_was_busy_hears_the_newest_only(endpoint):
    with closing(Publisher(endpoint)) as publisher, closing(Subscriber(endpoint)) as subscriber:
        assert subscriber.newest() is None

        def is_heard():
            publisher.publish(b"first")
            return subscriber.newest()

        assert until(is_heard) == b"first"
        for number in range(20):
            publisher.publish(b"%d" % number)
        for _ in range(5):
            time.sleep(0.1)
            publisher.publish(b"newest")
        time.sleep(0.1)
        assert subscriber.newest() == b"newest"
        assert subscriber.newest() is None


def test_a_publisher_waits_for_nobody(endpoint):
    with closing(Publisher(endpoint)) as publisher, closing(Subscriber(endpoint)):
        began = time.monotonic()
        for _ in range(200):
            publisher.publish(bytes(1_000_000))
        assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("kind", [Router, Publisher])
def test_an_ipc_endpoint_that_is_bound_is_refused_to_a_second(kind, router):
    with pytest.raises(EndpointError, match=f"{router.endpoint} is in use by another process"):
        kind(router.endpoint)


@pytest.mark.parametrize("kind", [Router, Publisher])
def test_a_port_that_is_bound_is_refused_to_a_second(kind):
    with (
        closing(Router("tcp://127.0.0.1:*")) as holder,
        pytest.raises(EndpointError, match=f"{holder.endpoint}: .*in use"),
    ):
        kind(holder.endpoint)


@pytest.mark.parametrize("port", ["0", "*"])
def test_a_free_port_is_told(port):
    with closing(Router(f"tcp://127.0.0.1:{port}")) as router:
        assert int(router.endpoint.removeprefix("tcp://127.0.0.1:")) > 0
        with closing(Dealer(router.endpoint)) as dealer:
            until(lambda: dealer.send(encode(Bye(1))))


@pytest.mark.parametrize("bad", ["tcp://10.0.0.5:5555", "ipc:///" + "x" * 200, "nonsense"])
@pytest.mark.parametrize("kind", [Router, Publisher, Subscriber, Dealer])
def test_no_link_is_made_of_an_unusable_endpoint(kind, bad):
    with pytest.raises(EndpointError, match="wanted"):
        kind(bad)


def test_one_cannot_connect_to_any_port():
    with pytest.raises(EndpointError, match=r"tcp://127\.0\.0\.1:\*: cannot be used"):
        Subscriber("tcp://127.0.0.1:*")


def test_a_socket_cannot_be_bound_where_a_folder_cannot_be(socket_dir):
    (socket_dir / "file").touch()
    with pytest.raises(EndpointError, match="cannot be locked"):
        Router(f"ipc://{socket_dir}/file/line")
