"""How parts are timed: each alone, one after the other, over and over.

All parts take their first repeat, then all their second, and so on. A slow spell of the machine
then falls on all of them alike, and shows as spread instead of as a slower part. What needs one
thread only is timed by what that thread has computed, which is how long it takes where nobody else
wants its core; what goes to and fro between processes is timed by the clock on the wall.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from ssd_bench.results.rows import AGENT_STEPS, Row

SHORT = 0.02  # seconds; a go shorter than this finds its caches cold after other parts' repeats


@dataclass(frozen=True)
class Work:
    """Something to be done over and over: `go` does it once.

    Attributes:
        amount: Units in one go.
        also: Other things in one go, by what they are called.
        clock: Tells its time in seconds.
    """

    go: Callable[[], object]
    amount: float
    unit: str = AGENT_STEPS
    also: Mapping[str, float] = field(default_factory=dict)
    clock: Callable[[], float] = time.thread_time


@dataclass(frozen=True)
class Part:
    """A row to be: `prepare` makes all that the work needs, and in the end clears it away."""

    name: str
    prepare: Callable[[], AbstractContextManager[Work]]
    ceiling: str | None = None  # the row that it is held against


def measure(
    parts: Sequence[Part],
    repeats: int,
    seconds: float,
    watch: Callable[[Sequence[int]], Iterable[int]] = lambda rounds: rounds,
) -> list[Row]:
    """Time all parts, each for about so many seconds over all its repeats; `watch` may tell."""
    with ExitStack() as stack:
        works = [stack.enter_context(part.prepare()) for part in parts]
        goes = [_goes(work, seconds / repeats) for work in works]
        rounds = [
            [_seconds(work, n) / n for work, n in zip(works, goes, strict=True)]
            for _ in watch(range(repeats))
        ]
    each = zip(*rounds, strict=True)
    return [_row(part, work, times) for part, work, times in zip(parts, works, each, strict=True)]


def _row(part: Part, work: Work, times: Sequence[float]) -> Row:
    return Row(
        name=part.name,
        unit=work.unit,
        samples=tuple(work.amount / t for t in times),
        also={f"{name}/s": tuple(n / t for t in times) for name, n in work.also.items()},
        ceiling=part.ceiling,
    )


def _goes(work: Work, seconds: float) -> int:
    """How many goes take so long on the wall's clock, by trying."""
    work.go()  # compiles, allocates
    goes, spent = 1, _time(work.go, 1, time.perf_counter)
    while spent < seconds / 5:
        goes *= 2
        spent = _time(work.go, goes, time.perf_counter)
    return max(1, math.ceil(goes * seconds / spent))


def _seconds(work: Work, goes: int) -> float:
    if _time(work.go, 1, time.perf_counter) < SHORT:
        _time(work.go, math.ceil(goes / 10), time.perf_counter)
    return _time(work.go, goes, work.clock)


def _time(go: Callable[[], object], goes: int, clock: Callable[[], float]) -> float:
    began = clock()
    for _ in range(goes):
        go()
    return clock() - began
