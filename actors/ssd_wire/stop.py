"""The word to stop: a signal, or the launcher's end.

A handler that only sets a flag does not wake a poll: the poll is restarted and sleeps on. So
signals also write to a pipe, and every wait watches it. It watches the lifeline too: the read end
of a pipe that the launcher keeps open, and that closes when it dies, however it dies.
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

# SIGHUP comes when the terminal is closed, unless it is ignored, as under nohup. SIGUSR1 is how a
# scheduler warns of its time limit. Either may come several times, which does not mean more haste:
# they ask to stop only once.
ONCE = (signal.SIGHUP, signal.SIGUSR1)


class Stop:
    """Whether this process was asked to end. Made once, in the main thread.

    Args:
        lifeline: File descriptor that becomes readable when the launcher is gone, or None.
    """

    def __init__(self, lifeline: int | None = None) -> None:
        self.requested = False
        self._was_requested = False
        self._lifeline = lifeline
        self._awake, wakeup = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, *ONCE):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a poll must watch to be woken by the word to stop."""
        return (self._awake,) if self._lifeline is None else (self._awake, self._lifeline)

    def look(self) -> bool:
        """Take notice of what the descriptors tell; whether to stop."""
        ready, _, _ = select.select(self.descriptors, [], [], 0)
        if self._awake in ready:
            os.read(self._awake, 4096)
        if self._lifeline in ready and not os.read(self._lifeline, 1):
            self.requested = True
            self._lifeline = None
        return self.requested

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number not in ONCE or not self._was_requested:
            self.requested = True
        self._was_requested = True
