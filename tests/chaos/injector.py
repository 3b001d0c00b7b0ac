"""Applies faults to the processes of a run, and ends freezes and full disks in time."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos import connections
from tests.chaos.faults import CUT, FREEZE, FULL_DISK, KILL, LONG, TERMINATE, Fault
from tests.chaos.recorded_run import RecordedRun

SIGNALS = {KILL: signal.SIGKILL, TERMINATE: signal.SIGTERM, FREEZE: signal.SIGSTOP}
FILLER = "filler"


@dataclass
class Injector:
    """The faults of one run.

    Args:
        run: Whose processes.
        may_cut: Whether connections can be cut here.
        clock: Returns seconds.

    Attributes:
        lasting: Faults that have not ended, with the time of their end and the pid.
    """

    run: RecordedRun
    may_cut: bool
    clock: Callable[[], float] = time.monotonic
    lasting: list[tuple[Fault, float, int]] = field(default_factory=list)

    def is_possible(self, fault: Fault) -> bool:
        """Whether this machine allows the fault, and nothing of the same process speaks against it.

        What is frozen or full is not so twice, and a process that is frozen for long is left alone.
        """
        if fault.kind == CUT and not self.may_cut:
            return False
        if fault.kind == FULL_DISK and not self.run.own_disk:
            return False
        lasting = [one for one, _, _ in self.lasting if one.role == fault.role]
        return not lasting or (not fault.seconds and lasting[0].seconds < LONG[0])

    def apply(self, fault: Fault) -> bool:
        """Apply a fault; false if its process is not up, or has no connection to cut."""
        if fault.kind == FULL_DISK:
            self._fill_disk()
            pid = 0
        elif (found := self.run.pid(fault.role)) is None:
            return False
        else:
            pid = found
            try:
                if fault.kind == CUT:
                    return self._cut(pid, fault.pick)
                os.kill(pid, SIGNALS[fault.kind])
            except ProcessLookupError:
                return False
        if fault.kind == KILL:  # the kernel kills frozen processes, too
            self.lasting = [one for one in self.lasting if one[2] != pid]
        if fault.seconds:
            self.lasting.append((fault, self.clock() + fault.seconds, pid))
        return True

    def end_due(self, *, now: bool = False) -> list[Fault]:
        """End freezes and full disks whose time is over, or all of them now; returns these."""
        ended = [one for one in self.lasting if now or one[1] <= self.clock()]
        for one in ended:
            self.lasting.remove(one)
            fault, _, pid = one
            if fault.kind == FULL_DISK:
                (self.run.disk / FILLER).unlink()
            # If it was killed meanwhile, another process may have its pid.
            elif self.run.pid(fault.role) == pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        return [fault for fault, _, _ in ended]

    def _cut(self, pid: int, pick: float) -> bool:
        try:
            found = connections.zmq_connections(pid)
            if found:
                connections.cut(pid, found[int(pick * len(found))])
        except OSError as fault:
            if fault.errno in (errno.ESRCH, errno.ENOENT, errno.EBADF, errno.ENOTCONN):
                return False  # it has ended meanwhile
            raise
        return bool(found)

    def _fill_disk(self) -> None:
        with (self.run.disk / FILLER).open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(1 << 16))
