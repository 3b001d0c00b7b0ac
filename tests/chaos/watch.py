"""Watches that every agent and every arena makes progress, and how soon after a fault."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.faults import FORK_SERVER, Fault
from tests.chaos.recorded_run import AGENTS, ARENAS

LONGEST = 60.0  # seconds without progress, with nothing frozen, that are a finding
ARENA_COUNTERS = {f"arena {arena}" for arena in range(ARENAS)}
ALL_COUNTERS = ARENA_COUNTERS | {f"agent {agent}" for agent in range(AGENTS)}


def stopped_by(lasting: Iterable[Fault]) -> set[str]:
    """Counters that need not grow while these faults last.

    A frozen environment or actor stops its arena; agents learn from other arenas. Actors wait for a
    frozen learner, so it stops everything, and so does a full disk.
    """
    stopped: set[str] = set()
    for fault in lasting:
        kind, _, numbers = fault.role.partition("-")
        if kind in ("env", "actor"):
            stopped.add(f"arena {numbers.split('-')[0]}")
        elif fault.role != FORK_SERVER:
            return ALL_COUNTERS
    return ALL_COUNTERS if stopped >= ARENA_COUNTERS else stopped


@dataclass
class Recovery:
    """The time after a fault until all counters have grown.

    Attributes:
        fault: Which.
        since: Counter that has not grown yet → from when on it could.
        seconds: The longest that a counter took.
    """

    fault: Fault
    since: dict[str, float]
    seconds: float = 0.0


@dataclass
class Watch:
    """The time of the last progress of each counter.

    Args:
        clock: Returns seconds.

    Attributes:
        waiting: Of faults since which some counter has not grown.
        recovered: Of faults since which all have.
    """

    clock: Callable[[], float]
    waiting: list[Recovery] = field(default_factory=list)
    recovered: list[Recovery] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _grew: dict[str, float] = field(default_factory=dict)

    def after(self, fault: Fault) -> None:
        """Measure from now how long all counters take to grow: the fault has happened or ended."""
        self.waiting.append(Recovery(fault, dict.fromkeys(self._counts, self.clock())))

    def update(self, counts: Mapping[str, int], stopped: Collection[str] = ()) -> list[str]:
        """Add the current counts.

        Args:
            counts: Name → a number that grows in health.
            stopped: Counters that cannot grow now. This time does not count.

        Returns:
            A message for each counter that has not grown for too long.
        """
        now, late = self.clock(), []
        for name, count in counts.items():
            if count > self._counts.get(name, -1):
                self._counts[name] = count
                self._on_growth(name, now)
            elif name in stopped:
                self._restart_clocks(name, now)
            elif now - self._grew[name] > LONGEST:
                late.append(f"{name}: no progress for {now - self._grew[name]:.0f} s")
                self._grew[name] = now
        return late

    def _on_growth(self, name: str, now: float) -> None:
        self._grew[name] = now
        for recovery in self.waiting:
            since = recovery.since.pop(name, now)
            recovery.seconds = max(recovery.seconds, now - since)
        self.recovered += [one for one in self.waiting if not one.since]
        self.waiting = [one for one in self.waiting if one.since]

    def _restart_clocks(self, name: str, now: float) -> None:
        self._grew[name] = now
        for recovery in self.waiting:
            if name in recovery.since:
                recovery.since[name] = now
