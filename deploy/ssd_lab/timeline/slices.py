"""A process's time, cut so that each moment belongs to one thing only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ssd_lab.timeline.spans import NONE, Kind, Span


@dataclass(frozen=True)
class Slice:
    """Something done without a break.

    Attributes:
        kind: What.
        lane: For which, or `NONE`.
        begin, end: Seconds, as in `Span`.
        cpu: Seconds that it computed.
        no_core: Seconds that it was ready to and had no core. What is neither was slept.
    """

    kind: Kind
    lane: int
    begin: float
    end: float
    cpu: float
    no_core: float

    @property
    def wall(self) -> float:
        """Seconds."""
        return self.end - self.begin


def cut(spans: Sequence[Span]) -> list[Slice]:
    """One slice after the other, from the first span's beginning to the last one's end.

    A moment belongs to the innermost span about it, and what lies between spans to the rest of the
    loop. A span that tells no lane is about that of the one around it.

    Args:
        spans: Of one process, in the order of their beginnings, outer ones first.
    """
    found: list[Slice] = []
    around: list[Span] = []
    at = cpu_at = 0.0

    def until(end: float, cpu_end: float) -> None:
        nonlocal at, cpu_at
        if end > at:
            found.append(_slice(around, at, end, cpu_end - cpu_at))
        at, cpu_at = end, cpu_end

    if spans:
        at, cpu_at = spans[0].begin, spans[0].cpu_begin
    for span in spans:
        while around and around[-1].end <= span.begin:
            until(around[-1].end, around[-1].cpu_end)
            around.pop()
        until(span.begin, span.cpu_begin)
        around.append(span)
    while around:
        until(around[-1].end, around[-1].cpu_end)
        around.pop()
    return found


def within(slices: Iterable[Slice], begin: float, end: float) -> list[Slice]:
    """What lies between two times; of a slice that one of them cuts, its share."""
    return [_part(one, begin, end) for one in slices if one.begin < end and one.end > begin]


def _slice(around: Sequence[Span], begin: float, end: float, cpu: float) -> Slice:
    kind = around[-1].kind if around else Kind.REST
    lane = next((span.of.lane for span in reversed(around) if span.of.lane != NONE), NONE)
    cpu = min(max(0.0, cpu), end - begin)
    no_core = end - begin - cpu
    if kind is Kind.WAITING:  # asleep for the most part
        no_core = min(no_core, around[-1].delay)
    return Slice(kind, lane, begin, end, cpu, no_core)


def _part(one: Slice, begin: float, end: float) -> Slice:
    begin, end = max(begin, one.begin), min(end, one.end)
    share = (end - begin) / one.wall
    return replace(one, begin=begin, end=end, cpu=one.cpu * share, no_core=one.no_core * share)
