"""How parts are timed: one thread, one part after the other, round after round.

All parts do their first repeat, then all their second, and so on: a slow moment of the machine
affects all of them alike and shows as spread. What counts is the CPU time of the thread, so that
other processes hardly disturb it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from timeit import timeit

from rich.console import Console
from rich.progress import track

from ssd_bench.results.rows import Row

SHORT = 0.02  # seconds; a call shorter than this finds its caches cold after other parts' repeats


@dataclass(frozen=True)
class Work:
    """Something to do over and over: `call` does it once.

    Attributes:
        amount: Agent-steps per call.
        also: Other things per call, by name.
    """

    call: Callable[[], object]
    amount: float
    also: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A row to be measured: `prepare` sets its work up, and cleans up afterwards."""

    name: str
    prepare: Callable[[], AbstractContextManager[Work]]
    ceiling: str | None = None  # the row that it is compared with


def measure(
    parts: Sequence[Part],
    repeats: int,
    seconds: float,
    clock: Callable[[], float] = time.thread_time,
) -> list[Row]:
    """Time all parts, each for about so many seconds in all; shows a progress bar on a terminal."""
    console = Console(stderr=True)
    bar = track(range(repeats), console=console, transient=True, disable=not console.is_terminal)
    with ExitStack() as stack:
        works = [stack.enter_context(part.prepare()) for part in parts]
        calls = [_calls(work, seconds / repeats) for work in works]
        rounds = [[_seconds(*each, clock) for each in zip(works, calls, strict=True)] for _ in bar]
    each = zip(*rounds, strict=True)
    return [_row(part, work, times) for part, work, times in zip(parts, works, each, strict=True)]


def _row(part: Part, work: Work, times: Sequence[float]) -> Row:
    return Row(
        name=part.name,
        samples=tuple(work.amount / t for t in times),
        also={f"{name}/s": tuple(n / t for t in times) for name, n in work.also.items()},
        ceiling=part.ceiling,
    )


def _calls(work: Work, seconds: float) -> int:
    """How many calls take so long in wall time, found by trying."""
    work.call()  # compiles, allocates
    calls, spent = 1, timeit(work.call, number=1)
    while spent < seconds / 5:
        calls *= 2
        spent = timeit(work.call, number=calls)
    return max(1, math.ceil(calls * seconds / spent))


def _seconds(work: Work, calls: int, clock: Callable[[], float]) -> float:
    """Seconds per call."""
    if timeit(work.call, number=1) < SHORT:
        timeit(work.call, number=math.ceil(calls / 10))  # warms the caches up
    return timeit(work.call, timer=clock, number=calls) / calls
