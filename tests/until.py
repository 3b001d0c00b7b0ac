"""Waiting in tests for what other processes, or sockets, make happen."""

import time


def until(happened, work=None, seconds=60.0):
    """Wait for something to happen, and give back what it gave; meanwhile do some work, if any."""
    deadline = time.monotonic() + seconds
    while not (result := happened()):
        assert time.monotonic() < deadline, "it never happened"
        if work is None:
            time.sleep(0.005)
        else:
            work()
    return result
