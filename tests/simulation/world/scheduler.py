"""Simulated time, and processes that take turns: each runs until it waits.

A process is a greenlet. Where the program under test waits for messages, the process yields to
the scheduler, which goes on with the next event in simulated time. No time passes between waits.
"""

import heapq
import math
from itertools import count

from greenlet import getcurrent, greenlet
from tests.simulation.checks.rules import RuleBrokenError

from ssd_wire.errors import ReplacedError

WAKE_SECONDS = 0.001  # from the arrival of a message until a process that waits for it runs
MAX_EFFECTS = 5_000  # of one process without time passing; more than that is an endless loop
MAX_SPINS = 50  # waits in a row for messages that have arrived before: as many as no one receives


class KilledError(BaseException):
    """The process is killed at this moment."""


class Scheduler:
    """A clock, and events to come.

    Attributes:
        now: Seconds since the start.
    """

    def __init__(self):
        self.now = 0.0
        self._events = []
        self._numbers = count()

    def read(self):
        """The time, for programs that take a clock."""
        return self.now

    def at(self, time, call, *arguments):
        """Call a function at a time; functions of the same time in the order of these calls."""
        heapq.heappush(self._events, (time, next(self._numbers), call, arguments))

    def run(self, until):
        """Let time pass until then."""
        events = self._events
        while events and events[0][0] <= until:
            self.now, _, call, arguments = heapq.heappop(events)
            call(*arguments)
        self.now = until


class Trigger:
    """What happens to a process at its n-th effect from now, counted from 0.

    Args:
        effects: n.
        kind: Effects that count: "wait", "send", "disk", or None for all.
        action: Called with the process.
    """

    def __init__(self, effects, kind, action):
        self._left = effects
        self._kind = kind
        self.action = action

    def is_reached(self, kind):
        """Count an effect; whether it is the one."""
        if self._kind not in (None, kind):
            return False
        self._left -= 1
        return self._left < 0


class Process:
    """A program that runs in simulated time.

    Args:
        scheduler: Has the clock.
        role: Its place in the run, such as ``actor-0-1``.
        number: Distinguishes it from the other processes of its role.
        program: Called with the process; returns when it ends.
        on_end: Called with the process when it has ended.

    Attributes:
        name: Of role and number.
        is_alive: Whether it has not ended.
        requested: Whether it was asked to stop, for programs that take a StopRequest.
        result: What the program returned.
        how: It ended: "ended", "killed", "replaced", "disk", or "failed" with another error.
        frozen_until: It does not run before this time.
        sources: Whose messages end a wait; each says whether it `has_arrived`.
        trigger: A `Trigger`, or None.
    """

    def __init__(self, scheduler, role, number, program, on_end):
        self.scheduler = scheduler
        self.role = role
        self.name = f"{role}#{number}"
        self.is_alive = True
        self.requested = False
        self.result = None
        self.how = None
        self.frozen_until = 0.0
        self.sources = ()
        self.trigger = None
        self._program = program
        self._on_end = on_end
        self._due = math.inf  # when the present wait ends
        self._is_woken_by_messages = False
        self._turn = 0  # number of the present wait
        self._effects, self._effects_at = 0, 0.0
        self._spins = 0
        self._greenlet = greenlet(self._run)

    def start(self):
        """Run until the first wait."""
        self._greenlet.switch()

    @property
    def is_frozen(self):
        """Whether it does not run now, though it has not ended."""
        return self.frozen_until > self.scheduler.now

    def wait(self, seconds):
        """Wait for messages, at most so long, in whole milliseconds; false when asked to stop."""
        self.effect("wait")
        self._yield(self._wait_seconds(seconds), woken_by_messages=True)
        return not self.requested

    def sleep(self, seconds):
        """Be busy for so long."""
        self._yield(seconds, woken_by_messages=False)

    def notify(self):
        """A message has arrived."""
        if self._is_woken_by_messages:
            self._wake_at(self.scheduler.now + WAKE_SECONDS)

    def stop(self):
        """Ask it to stop: SIGTERM."""
        self.requested = True
        self.notify()

    def kill(self):
        """End it at once: SIGKILL."""
        if not self.is_alive:
            return
        self.is_alive = False
        if getcurrent() is self._greenlet:
            raise KilledError
        self._greenlet.throw(KilledError)

    def freeze(self, seconds):
        """Do not run for so long: SIGSTOP, and SIGCONT later."""
        self.frozen_until = max(self.frozen_until, self.scheduler.now + seconds)
        if getcurrent() is self._greenlet:
            self.sleep(0.0)

    def thaw(self):
        """Run again."""
        self.frozen_until = min(self.frozen_until, self.scheduler.now)
        if self._due < math.inf:
            self.scheduler.at(max(self.scheduler.now, self._due), self._wake, self._turn)

    def effect(self, kind):
        """Called by each thing that this process does and that others can notice.

        Args:
            kind: "wait", "send" or "disk".
        """
        if not self.is_alive:
            raise KilledError
        if self._effects_at != self.scheduler.now:
            self._effects, self._effects_at = 0, self.scheduler.now
        self._effects += 1
        if self._effects > MAX_EFFECTS:
            raise RuleBrokenError(f"{self.name} does not wait: {MAX_EFFECTS} effects in no time")
        if self.trigger is not None and self.trigger.is_reached(kind):
            action, self.trigger = self.trigger.action, None
            action(self)

    def _wait_seconds(self, seconds):
        """How long a wait for messages lasts if no more arrive."""
        for source in self.sources:
            if source.has_arrived:
                self._spins += 1
                if self._spins > MAX_SPINS:
                    raise RuleBrokenError(f"{self.name} does not receive what ends its waits")
                return WAKE_SECONDS
        self._spins = 0
        return max(WAKE_SECONDS, math.ceil(seconds * 1000) / 1000)

    def _yield(self, seconds, woken_by_messages):
        self._due = math.inf
        self._is_woken_by_messages = woken_by_messages
        self._wake_at(self.scheduler.now + seconds)
        self._greenlet.parent.switch()

    def _wake_at(self, time):
        if time < self._due:
            self._due = time
            self._turn += 1
            self.scheduler.at(time, self._wake, self._turn)

    def _wake(self, turn):
        if turn != self._turn or not self.is_alive:
            return
        if self.is_frozen:
            self.scheduler.at(self.frozen_until, self._wake, turn)
            return
        self._turn += 1
        self._due = math.inf
        self._is_woken_by_messages = False
        self._greenlet.switch()

    def _run(self):
        self.how = "failed"
        try:
            self.result = self._program(self)
            self.how = "ended"
        except KilledError:
            self.how = "killed"
        except ReplacedError:
            self.how = "replaced"
        except OSError:
            self.how = "disk"
        finally:
            self.is_alive = False
        self._on_end(self)
