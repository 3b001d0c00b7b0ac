"""The ticks of an arena: what each was waiting for, and which are typical."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssd_lab.timeline.spans import NONE, Kind, Span

STAGES = (
    "the world steps the games",
    "and sends, until it is the slowest actor's turn",
    "the timestep is on its way, and waits to be read",
    "the slowest actor answers",
    "its act is on its way, and waits to be read",
    "the world hears it",
)

Key = tuple[int, int, int]  # lane, tick, agent


@dataclass(frozen=True)
class Tick:
    """One step of one lane, along the path of the actor that answered last.

    Attributes:
        lane, number: Which.
        slowest: That actor's agent.
        times: [7] seconds: the games' step begins, and ends; the world begins to send to this
            actor; it has read that; it begins to send its act; the world reads it; the games' next
            step begins. Between them lie the `STAGES`.
    """

    lane: int
    number: int
    slowest: int
    times: tuple[float, ...]

    @property
    def begin(self) -> float:
        """When its step began."""
        return self.times[0]

    @property
    def seconds(self) -> float:
        """From its step to the next one."""
        return self.times[-1] - self.times[0]


def ticks(world: Sequence[Span], actors: Mapping[int, Sequence[Span]]) -> list[Tick]:
    """All ticks of which everything was recorded, in the order of their beginnings.

    Args:
        world: Its spans, in time.
        actors: Agent → spans, in time.
    """
    steps = {(s.of.lane, s.of.tick): s for s in world if s.kind is Kind.STEP}
    sent = _by_key(world, Kind.SEND)
    heard = _by_key(world, Kind.RECEIVE)
    read: dict[Key, Span] = {}
    acted: dict[Key, Span] = {}
    for agent, spans in actors.items():
        read |= _by_key(spans, Kind.RECEIVE, agent)
        acted |= _by_key(spans, Kind.SEND, agent)
    found = []
    for (lane, number), step in steps.items():
        keys = [(lane, number, agent) for agent in actors]
        following = steps.get((lane, number + 1))
        if following is None or not all(k in m for k in keys for m in (sent, read, acted, heard)):
            continue
        last = max(keys, key=lambda key: heard[key].begin)
        between = (sent[last].begin, read[last].end, acted[last].begin, heard[last].begin)
        times = (step.begin, step.end, *between, following.begin)
        found.append(Tick(lane, number, last[2], times))
    return sorted(found, key=lambda tick: tick.begin)


def typical(chosen: Sequence[Tick]) -> Tick | None:
    """Of those that are followed by the next one of their lane, the most typical pair's first.

    That is the pair of which neither is far from the median length of all. None without a pair.
    """
    by_number = {(tick.lane, tick.number): tick for tick in chosen}
    pairs = [
        (tick, after)
        for tick in chosen
        if (after := by_number.get((tick.lane, tick.number + 1))) is not None
    ]
    if not pairs:
        return None
    middle = statistics.median(tick.seconds for tick in chosen)
    return min(pairs, key=lambda pair: max(abs(tick.seconds - middle) for tick in pair))[0]


def _by_key(spans: Sequence[Span], kind: Kind, agent: int = NONE) -> dict[Key, Span]:
    """The first span of this kind about each lane, tick and agent: what is repeated comes later."""
    found: dict[Key, Span] = {}
    for span in spans:
        who = span.of.agent if agent == NONE else agent
        if span.kind is kind and span.of.lane != NONE and who != NONE:
            found.setdefault((span.of.lane, span.of.tick, who), span)
    return found
