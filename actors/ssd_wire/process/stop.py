"""A request to stop: from a signal, or because the launcher ended.

A signal handler that only sets a flag does not wake a poll: Python restarts the poll, which goes on
sleeping. So each signal also writes to a pipe, which every wait polls. A second pipe detects the
launcher's end. The launcher keeps its write end open, so it closes when the launcher dies, for
whatever reason.
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

# The system sends SIGHUP when the terminal is closed, unless it is ignored, as under nohup. A
# scheduler sends SIGUSR1 to warn of its time limit. Either may arrive more than once without
# meaning more: only the first one counts as a request.
ONCE = (signal.SIGHUP, signal.SIGUSR1)


class Stop:
    """Whether this process was asked to stop. Create one, in the main thread.

    Args:
        parent_pipe: File descriptor that becomes readable when the launcher has ended, or None.
    """

    def __init__(self, parent_pipe: int | None = None) -> None:
        self.requested = False
        self._was_requested = False
        self._parent_pipe = parent_pipe
        self._wakeup_reader, wakeup_writer = os.pipe()
        os.set_blocking(self._wakeup_reader, False)
        os.set_blocking(wakeup_writer, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, *ONCE):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The file descriptors to poll: one becomes readable on a request to stop."""
        if self._parent_pipe is None:
            return (self._wakeup_reader,)
        return (self._wakeup_reader, self._parent_pipe)

    def check(self) -> bool:
        """Read the descriptors; return whether a stop was requested."""
        ready, _, _ = select.select(self.descriptors, [], [], 0)
        if self._wakeup_reader in ready:
            os.read(self._wakeup_reader, 4096)
        if self._parent_pipe in ready and not os.read(self._parent_pipe, 1):
            self.requested = True
            self._parent_pipe = None
        return self.requested

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number not in ONCE or not self._was_requested:
            self.requested = True
        self._was_requested = True
