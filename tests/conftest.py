"""What holds for all tests."""

import os
import signal
from collections.abc import Iterator

import pytest

# Torch's second thread spins while it waits, and stalls the processes it shares two cores with.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    """Code under test that handles signals does not change how later tests do."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.set_wakeup_fd(-1)
