"""The word to stop wakes whoever waits, once."""

import os
import signal
import threading
import time
from contextlib import closing

import pytest

from ssd_wire.codec import encode
from ssd_wire.messages import Bye
from ssd_wire.sockets import Dealer, Poller, Router
from ssd_wire.stop import Stop

ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
LONG = 30.0  # seconds that no wait here lasts


@pytest.fixture
def make_stop():
    """Make the word to stop, and undo what it does to the process afterwards."""
    before = {number: signal.getsignal(number) for number in ALL}
    pipes = []

    def make(parent_pipe=None):
        stop = Stop(parent_pipe)
        pipes.append(stop.descriptors[0])
        return stop

    yield make
    pipes.append(signal.set_wakeup_fd(-1))
    for descriptor in pipes:
        os.close(descriptor)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def parent_pipe():
    """A pipe: the end that a process watches, and a way to close the launcher's."""
    watched, held = os.pipe()
    yield watched, held
    os.close(watched)


@pytest.fixture
def router(socket_dir):
    with closing(Router(f"ipc://{socket_dir}/line")) as router:
        yield router


def later(action, *args):
    threading.Timer(0.2, action, args).start()


def seconds(action, *args):
    began = time.monotonic()
    action(*args)
    return time.monotonic() - began


@pytest.mark.parametrize("number", ALL, ids=lambda number: number.name)
def test_a_signal_wakes_whoever_waits_and_asks_to_stop(number, make_stop, router):
    stop = make_stop()
    waiting = Poller(stop, [router])
    assert not stop.requested
    later(os.kill, os.getpid(), number)
    assert seconds(waiting.wait, LONG) < LONG
    assert stop.requested


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1], ids=lambda n: n.name)
def test_the_end_of_a_terminal_and_a_warning_ask_to_stop_once_and_never_in_haste(number, make_stop):
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


def test_the_launchers_end_wakes_whoever_waits_and_asks_to_stop(make_stop, parent_pipe, router):
    watched, held = parent_pipe
    stop = make_stop(watched)
    waiting = Poller(stop, [router])
    later(os.close, held)
    assert seconds(waiting.wait, LONG) < LONG
    assert stop.requested


def test_a_word_that_came_before_the_wait_is_heard(make_stop, router):
    stop = make_stop()
    os.kill(os.getpid(), signal.SIGTERM)
    assert seconds(Poller(stop, [router]).wait, LONG) < LONG
    assert stop.requested


@pytest.mark.parametrize("how", ["signal", "parent_pipe"])
def test_after_a_request_to_stop_a_wait_lasts_as_long_as_asked(how, make_stop, parent_pipe, router):
    watched, held = parent_pipe
    stop = make_stop(watched)
    waiting = Poller(stop, [router])
    if how == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    os.close(held)
    waiting.wait(LONG)
    assert stop.requested
    assert seconds(waiting.wait, 0.3) > 0.25


def test_after_the_word_to_stop_messages_still_wake_whoever_waits(make_stop, router):
    waiting = Poller(make_stop(), [router])
    os.kill(os.getpid(), signal.SIGTERM)
    waiting.wait(LONG)
    with closing(Dealer(router.endpoint)) as dealer:
        while not dealer.send(encode(Bye(1))):
            time.sleep(0.01)
        assert seconds(waiting.wait, LONG) < LONG
        assert len(list(router.receive())) == 1


def test_what_is_written_to_the_lifeline_asks_nobody_to_stop(make_stop, parent_pipe, router):
    watched, held = parent_pipe
    stop = make_stop(watched)
    os.write(held, b"!")
    waiting = Poller(stop, [router])
    waiting.wait(LONG)
    assert not stop.requested
    assert seconds(waiting.wait, 0.3) > 0.25
    os.close(held)
    assert stop.check()


def test_another_signal_asks_nobody_to_stop(make_stop, router):
    stop = make_stop()
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        Poller(stop, [router]).wait(LONG)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]
    assert not stop.requested


def test_a_wait_for_what_does_not_come_ends_in_time(make_stop, router):
    waiting = Poller(make_stop(), [router])
    assert 0.15 < seconds(waiting.wait, 0.2) < LONG
    assert seconds(waiting.wait, -1.0) < LONG
