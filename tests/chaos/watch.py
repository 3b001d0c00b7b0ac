"""Watches that every agent and every arena makes progress, and how soon after a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.chaos.faults import Fault

LONGEST = 60.0  # seconds without progress, with nothing frozen, that are a finding


@dataclass
class Watch:
    """The time of the last progress of each counter.

    Args:
        clock: Returns seconds.

    Attributes:
        waiting: Faults since which some counter has not grown: the time of each, and its counters.
        recovered: Faults, and the seconds until all counters had grown.
    """

    clock: Callable[[], float]
    waiting: list[tuple[Fault, float, set[str]]] = field(default_factory=list)
    recovered: list[tuple[Fault, float]] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _grew: dict[str, float] = field(default_factory=dict)

    def after(self, fault: Fault) -> None:
        """Measure from now how long all counters take to grow: the fault has happened or ended."""
        self.waiting.append((fault, self.clock(), set(self._counts)))

    def update(self, counts: Mapping[str, int], *, disturbed: bool) -> list[str]:
        """Add the current counts.

        Args:
            counts: Name → a number that grows in health.
            disturbed: Whether a process is frozen, or the disk full. This time does not count.

        Returns:
            A message for each counter that has not grown for too long.
        """
        now, late = self.clock(), []
        for name, count in counts.items():
            if count > self._counts.get(name, -1):
                self._counts[name] = count
                self._on_growth(name, now)
            elif disturbed:
                self._grew[name] = now
            elif now - self._grew[name] > LONGEST:
                late.append(f"{name}: no progress for {now - self._grew[name]:.0f} s")
                self._grew[name] = now
        return late

    def _on_growth(self, name: str, now: float) -> None:
        self._grew[name] = now
        for fault, began, names in self.waiting:
            names.discard(name)
            if not names:
                self.recovered.append((fault, now - began))
        self.waiting = [one for one in self.waiting if one[2]]
