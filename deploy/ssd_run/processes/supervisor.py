"""Keeps a run's processes alive: what dies is started again, later each time it dies soon.

Decides only; starting, signalling and telling the time are passed in.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ssd_run.processes.history import History
from ssd_run.processes.programs import Program
from ssd_run.processes.spawner import HOPELESS, Child, RunFailedError
from ssd_wire.process import CONFIGURATION_ERROR

FIRST_PAUSE = 0.5  # seconds before a process that died is started again; doubles each time
LONGEST_PAUSE = 30.0
HEALTHY = 60.0  # seconds after which earlier deaths are forgotten


class Starter(Protocol):
    """Makes processes; see `spawner.Spawner`."""

    def is_ready(self) -> bool:
        """Whether a process can be started now."""

    def start(self, program: Program, number: int) -> Child | None:
        """Start a process for the n-th time, counted from 0; None when that failed this once."""

    def announced(self, role: str, pid: int) -> bool:
        """Whether this process has said that it is up."""


@dataclass
class Charge:
    """One process under supervision.

    Attributes:
        program: What to start.
        child: The process, unless it has died and waits for its next start.
        wanted: Whether it is started again when it ends.
        since: When it was last started.
        due: When it is started next.
        pause: Seconds before the start after its next death.
        stillborn: Deaths in a row before it was up.
        died: Whether it ever died in this launch.
    """

    program: Program
    child: Child | None = None
    wanted: bool = True
    since: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE
    stillborn: int = 0
    died: bool = False

    @property
    def role(self) -> str:
        """The process's name in the run."""
        return self.program.role


class Supervisor:
    """All processes of a run.

    Args:
        programs: What is to run.
        starter: Starts it.
        history: Is told of every start and end.
        clock: Seconds that only grow.
        say: Tells the user.
    """

    def __init__(
        self,
        programs: Iterable[Program],
        starter: Starter,
        history: History,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._charges = [Charge(program) for program in programs]
        self._starter = starter
        self._history = history
        self._clock = clock
        self._say = say

    def look(self) -> None:
        """Take notice of who died, and start who is due. To be called several times a second.

        Raises:
            RunFailedError: when starting again what died would be in vain.
        """
        ready = self._starter.is_ready()
        for charge in self._charges:
            if charge.child is not None and (code := charge.child.poll()) is not None:
                self._ended(charge, charge.child.pid, code)
            due = charge.child is None and charge.wanted and self._clock() >= charge.due
            if due and ready:
                ready = self._start(charge)

    def alive(self, kind: str | None = None) -> tuple[str, ...]:
        """Roles whose process runs, of one kind or of all."""
        return tuple(charge.role for charge, _ in self._running(kind))

    def dismiss(self, kind: str) -> None:
        """Ask all processes of a kind to stop, and do not start them again."""
        for charge in self._charges:
            if charge.program.kind == kind:
                charge.wanted = False
        for _, child in self._running(kind):
            child.terminate()

    def kill(self) -> tuple[str, ...]:
        """End at once whatever runs; tells what did."""
        roles = self.alive()
        for charge in self._charges:
            charge.wanted = False
        for _, child in self._running():
            child.kill()
        return roles

    def _running(self, kind: str | None = None) -> Sequence[tuple[Charge, Child]]:
        return [
            (charge, charge.child)
            for charge in self._charges
            if charge.child is not None and kind in (None, charge.program.kind)
        ]

    def _start(self, charge: Charge) -> bool:
        number = self._history.started(charge.role, restart=charge.died)
        charge.child = self._starter.start(charge.program, number)
        charge.since = self._clock()
        if charge.died and charge.child is not None:
            self._say(f"{charge.role} started again")
        return charge.child is not None

    def _ended(self, charge: Charge, pid: int, code: int) -> None:
        charge.child = None
        self._history.ended(charge.role, pid, code)
        if not charge.wanted:
            if code not in (0, -signal.SIGTERM):  # the latter where it was not up yet
                self._say(f"{charge.role} {_how(code)} while it was stopping")
            return
        charge.died = True
        charge.stillborn = 0 if self._starter.announced(charge.role, pid) else charge.stillborn + 1
        if code == CONFIGURATION_ERROR or charge.stillborn >= HOPELESS:
            charge.wanted = False
            times = "" if code == CONFIGURATION_ERROR else f", {HOPELESS} times before it was up"
            raise RunFailedError(charge.role, f"{_how(code)}{times}")
        if self._clock() - charge.since >= HEALTHY:
            charge.pause = FIRST_PAUSE
        charge.due = self._clock() + charge.pause
        self._say(f"{charge.role} {_how(code)}; it starts again in {charge.pause:g} s")
        charge.pause = min(2 * charge.pause, LONGEST_PAUSE)


def _how(code: int) -> str:
    if code == CONFIGURATION_ERROR:
        return f"cannot go on (exit code {code})"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
