"""A request to stop ends a wait, once."""

import os
import signal
import threading
import time
from contextlib import closing

import pytest

from ssd_wire.codec import encode
from ssd_wire.messages import Bye
from ssd_wire.process.stop import Stop
from ssd_wire.sockets import Dealer, Poller, Router

ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
LONG = 30.0  # seconds; longer than any wait here


@pytest.fixture
def make_stop():
    """Create a `Stop`, as in a foreground process: under `nohup` SIGHUP would be ignored."""
    for number in ALL:
        signal.signal(number, signal.SIG_DFL)
    pipes = []

    def make(parent_pipe=None):
        stop = Stop(parent_pipe)
        pipes.append(stop.descriptors[0])
        return stop

    yield make
    pipes.append(signal.set_wakeup_fd(-1))
    for descriptor in pipes:
        os.close(descriptor)


@pytest.fixture
def parent_pipe():
    """A pipe: the end that a process reads, and the launcher's end."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)


@pytest.fixture
def router(socket_dir):
    with closing(Router(f"ipc://{socket_dir}/socket")) as router:
        yield router


def later(action, *args):
    threading.Timer(0.2, action, args).start()


def seconds(action, *args):
    began = time.monotonic()
    action(*args)
    return time.monotonic() - began


@pytest.mark.parametrize("number", ALL, ids=lambda number: number.name)
def test_a_signal_ends_a_wait_and_requests_a_stop(number, make_stop, router):
    stop = make_stop()
    poller = Poller(stop, [router])
    assert not stop.requested
    later(os.kill, os.getpid(), number)
    assert seconds(poller.wait, LONG) < LONG
    assert stop.requested


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1], ids=lambda n: n.name)
def test_sighup_and_sigusr1_request_a_stop_only_once(number, make_stop):
    stop = make_stop()
    for first in (signal.SIGTERM, number):
        os.kill(os.getpid(), first)
    assert stop.requested
    stop.requested = False  # as the launcher notes that it is stopping
    os.kill(os.getpid(), number)
    assert not stop.requested
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested


def test_a_process_under_nohup_outlives_its_terminal(make_stop):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = make_stop()
    os.kill(os.getpid(), signal.SIGHUP)
    assert not stop.requested


def test_the_end_of_the_launcher_ends_a_wait_and_requests_a_stop(make_stop, parent_pipe, router):
    read_end, write_end = parent_pipe
    stop = make_stop(read_end)
    poller = Poller(stop, [router])
    later(os.close, write_end)
    assert seconds(poller.wait, LONG) < LONG
    assert stop.requested


def test_a_request_before_the_wait_ends_it_at_once(make_stop, router):
    stop = make_stop()
    os.kill(os.getpid(), signal.SIGTERM)
    assert seconds(Poller(stop, [router]).wait, LONG) < LONG
    assert stop.requested


@pytest.mark.parametrize("how", ["signal", "parent_pipe"])
def test_after_a_request_to_stop_a_wait_lasts_as_long_as_asked(how, make_stop, parent_pipe, router):
    read_end, write_end = parent_pipe
    stop = make_stop(read_end)
    poller = Poller(stop, [router])
    if how == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    os.close(write_end)
    poller.wait(LONG)
    assert stop.requested
    assert seconds(poller.wait, 0.3) > 0.25


def test_after_a_request_to_stop_messages_still_end_a_wait(make_stop, router):
    poller = Poller(make_stop(), [router])
    os.kill(os.getpid(), signal.SIGTERM)
    poller.wait(LONG)
    with closing(Dealer(router.endpoint)) as dealer:
        while not dealer.send(encode(Bye(1))):
            time.sleep(0.01)
        assert seconds(poller.wait, LONG) < LONG
        assert len(list(router.receive())) == 1


def test_data_on_the_parent_pipe_does_not_request_a_stop(make_stop, parent_pipe, router):
    read_end, write_end = parent_pipe
    stop = make_stop(read_end)
    os.write(write_end, b"!")
    poller = Poller(stop, [router])
    poller.wait(LONG)
    assert not stop.requested
    assert seconds(poller.wait, 0.3) > 0.25
    os.close(write_end)
    assert stop.check()


def test_another_signal_does_not_request_a_stop(make_stop, router):
    stop = make_stop()
    received = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: received.append(number))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        Poller(stop, [router]).wait(LONG)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert received == [signal.SIGUSR1]
    assert not stop.requested


def test_a_wait_without_messages_ends_in_time(make_stop, router):
    poller = Poller(make_stop(), [router])
    assert 0.15 < seconds(poller.wait, 0.2) < LONG
    assert seconds(poller.wait, -1.0) < LONG
