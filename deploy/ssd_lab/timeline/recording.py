"""All that was recorded of one arena over one stretch of time."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import click

from ssd_lab.timeline.slices import Slice, cut, within
from ssd_lab.timeline.spans import Kind, Span
from ssd_lab.timeline.ticks import Tick, ticks


@dataclass(frozen=True)
class Recording:
    """An arena's processes by role: ``env-0``, ``actor-0-3``, ``learner-3``.

    Attributes:
        begin, end: Of the stretch, by `time.monotonic`.
        spans: Role → spans, in time; they may begin before and end after the stretch.
        cpu: Role → seconds that all threads of the process computed within it.
    """

    begin: float
    end: float
    spans: Mapping[str, Sequence[Span]]
    cpu: Mapping[str, float]

    @property
    def seconds(self) -> float:
        """Length of the stretch."""
        return self.end - self.begin

    @cached_property
    def ticks(self) -> list[Tick]:
        """The ticks that lie within it.

        Raises:
            click.ClickException: when there is none.
        """
        actors = {int(r.split("-")[2]): s for r, s in self.spans.items() if r.startswith("actor")}
        every = ticks(self.spans["env-0"], actors)
        found = [t for t in every if self.begin <= t.begin and t.times[-1] <= self.end]
        if not found:
            raise click.ClickException(f"no whole tick in {self.seconds:.0f} s: record for longer")
        return found

    @cached_property
    def slices(self) -> Mapping[str, Sequence[Slice]]:
        """Role → what it did within the stretch."""
        return {r: within(cut(spans), self.begin, self.end) for r, spans in self.spans.items()}

    def in_training(self, tick: Tick) -> bool:
        """Whether any learner updates within a tick."""
        begins, ends = self._updates
        return bisect.bisect_left(begins, tick.times[-1]) > bisect.bisect_right(ends, tick.begin)

    def slices_of(self, kind: str) -> list[Sequence[Slice]]:
        """The same of all processes of a kind."""
        return [slices for role, slices in self.slices.items() if role.startswith(f"{kind}-")]

    def cpu_of(self, kind: str) -> float:
        """Seconds that all threads of all processes of a kind computed."""
        return sum(cpu for role, cpu in self.cpu.items() if role.startswith(f"{kind}-"))

    @cached_property
    def _updates(self) -> tuple[list[float], list[float]]:
        """When the learners' updates began, and when they ended, each in order."""
        spans = [s for every in self.spans.values() for s in every if s.kind is Kind.UPDATE]
        return sorted(s.begin for s in spans), sorted(s.end for s in spans)
