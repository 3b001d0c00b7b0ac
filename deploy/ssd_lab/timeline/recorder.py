"""Times the calls of methods and functions.

A call costs about 2.5 µs more for it, and a wait 7. With cleanup-moa that is a twentieth of the
processor time of the world, and a fiftieth of an actor's.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic, thread_time
from typing import Any

from ssd_lab.timeline.spans import Kind, Of, Span

Call = Callable[..., Any]
Tells = Callable[[tuple[Any, ...], Any], Of]  # arguments and result of a call → what it is about

NOTHING = Of()
KEPT = 300_000  # spans; the newest stay. A world makes some thousands a second
_END = object()


def of_nothing(arguments: tuple[Any, ...], result: Any) -> Of:
    """What a call is about of which nothing is known."""
    del arguments, result
    return NOTHING


class Recorder:
    """The spans of the thread that made it.

    Args:
        kept: How many stay.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.spans: deque[Span] = deque(maxlen=kept)
        # Opened here and never closed: to open it for each wait would cost more than to read it.
        self._schedule = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

    def call(self, function: Call, kind: Kind, tells: Tells) -> Call:
        """The function, each of whose calls that returns leaves a span."""

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            begin, cpu_begin = monotonic(), thread_time()
            result = function(*arguments, **options)
            cpu_end, end = thread_time(), monotonic()
            of = tells(arguments, result)
            self.spans.append(Span(kind, of, begin, end, cpu_begin, cpu_end))
            return result

        return timed

    def wait(self, function: Call, kind: Kind, tells: Tells) -> Call:
        """The same for one that sleeps: how long the thread had no core, once woken, counts too."""

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            before, begin, cpu_begin = self._delay(), monotonic(), thread_time()
            result = function(*arguments, **options)
            cpu_end, end = thread_time(), monotonic()
            of, delay = tells(arguments, result), self._delay() - before
            self.spans.append(Span(kind, of, begin, end, cpu_begin, cpu_end, delay))
            return result

        return timed

    def each(self, function: Call, kind: Kind, tells: Tells) -> Call:
        """The same for a generator: a span for each item, and one for finding no more."""

        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Iterator[Any]:
            items = function(*arguments, **options)

            def tells_item(_: tuple[Any, ...], item: Any) -> Of:
                return NOTHING if item is _END else tells(arguments, item)

            following = self.call(lambda: next(items, _END), kind, tells_item)
            while (item := following()) is not _END:
                yield item

        return timed

    def _delay(self) -> float:
        """Seconds that this thread was ready to run and did not, ever since it began."""
        return int(os.pread(self._schedule, 64, 0).split()[1]) * 1e-9


def replace(where: str, wrap: Callable[[Call], Call]) -> None:
    """Put something else in the place of ``module:name`` or ``module:Class.method``.

    Raises:
        AttributeError: when there is nothing.
    """
    owner, name = find(where)
    setattr(owner, name, wrap(getattr(owner, name)))


def find(where: str) -> tuple[Any, str]:
    """The module or class that has it, and its name there."""
    module, _, dotted = where.partition(":")
    *path, name = dotted.split(".")
    owner: Any = functools.reduce(getattr, path, importlib.import_module(module))
    return owner, name
