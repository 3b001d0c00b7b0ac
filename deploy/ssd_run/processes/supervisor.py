"""Keeps a run's processes alive: a process that dies is started again, later each time.

It is not started again where that is useless (`ssd_run.processes.deaths`): that ends the run. This
file only decides; starting, signalling and the clock are passed in.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from ssd_run.processes.deaths import Death, Deaths
from ssd_run.processes.history import History
from ssd_run.processes.programs import Program
from ssd_run.processes.spawner import Child, RunFailedError
from ssd_wire.process import CONFIGURATION_ERROR, PASSING_FAULT, REPLACED

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

    def last_error(self, role: str) -> tuple[str, str]:
        """The last line of a process's log, and the error that it ended with, with its place."""


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
        deaths: In a row.
        died: Whether it ever died in this launch.
    """

    program: Program
    child: Child | None = None
    wanted: bool = True
    since: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE
    deaths: Deaths = field(default_factory=Deaths)
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
        made_progress: Whether a process has got further than it was when this was last asked.
    """

    def __init__(
        self,
        programs: Iterable[Program],
        starter: Starter,
        history: History,
        clock: Callable[[], float],
        say: Callable[[str], None],
        made_progress: Callable[[str], bool],
    ) -> None:
        self._charges = [Charge(program) for program in programs]
        self._starter = starter
        self._history = history
        self._clock = clock
        self._say = say
        self._made_progress = made_progress

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
        if code == REPLACED:
            charge.wanted = False
            self._say(f"{charge.role} {_how(code)}; it is not started again")
            return
        charge.died = True
        line, error = self._starter.last_error(charge.role) if code > 0 else ("", "")
        if code == CONFIGURATION_ERROR:
            self._give_up(charge, _how(code))
        if code != PASSING_FAULT:
            up = self._starter.announced(charge.role, pid)
            is_new = error != charge.deaths.error
            death = Death(code, up, self._made_progress(charge.role), error)
            if reason := charge.deaths.add(death):
                self._give_up(charge, f"{_how(code)}, {reason}")
            line = line if is_new else ""
        if self._clock() - charge.since >= HEALTHY:
            charge.pause = FIRST_PAUSE
        charge.due = self._clock() + charge.pause
        because = f" ({line})" if line else ""
        self._say(f"{charge.role} {_how(code)}{because}; it starts again in {charge.pause:g} s")
        charge.pause = min(2 * charge.pause, LONGEST_PAUSE)

    def _give_up(self, charge: Charge, reason: str) -> NoReturn:
        charge.wanted = False
        raise RunFailedError(charge.role, reason)


def _how(code: int) -> str:
    if code == CONFIGURATION_ERROR:
        return f"cannot go on (exit code {code})"
    if code == REPLACED:
        return "was replaced by a process that started later"
    if code == PASSING_FAULT:
        return "could not write or read"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
