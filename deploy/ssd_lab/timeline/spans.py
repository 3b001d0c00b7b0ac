"""What is recorded of a process: when it did what, and for which lane and tick."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

NONE = -1  # no lane, tick or agent


class Kind(StrEnum):
    """What a process does, in the words of the picture's legend."""

    STEP = "step the games"
    SEND = "encode, send"
    RECEIVE = "receive, decode"
    RECKON = "recall, reward"
    DECIDE = "decide"
    ANSWER = "rest of the answer"
    REPORT = "segments, weights, checkpoints"
    COLLATE = "collate"
    UPDATE = "update"
    REST = "rest of the loop"
    WAITING = "waiting"


class Of(NamedTuple):
    """What a span is about, as far as it is known."""

    lane: int = NONE
    tick: int = NONE  # of the timestep that is made, sent or answered
    agent: int = NONE  # in the world: with whom


class Span(NamedTuple):
    """One call. Those of a process lie beside or within each other, as calls do.

    Attributes:
        kind: What was done.
        of: For whom.
        begin, end: By `time.monotonic`, which all processes of a machine share.
        cpu_begin, cpu_end: Processor time of the process's main thread.
        delay: Seconds that the thread was ready to run and had no core; known of waits only.
    """

    kind: Kind
    of: Of
    begin: float
    end: float
    cpu_begin: float
    cpu_end: float
    delay: float = 0.0


def write_spans(path: Path, spans: Iterable[Span]) -> None:
    """One file per process."""
    rows = [[kind.name, *of, *clocks] for kind, of, *clocks in spans]
    path.write_text(json.dumps(rows))


def read_spans(path: Path) -> list[Span]:
    """What `write_spans` wrote, in the order of the calls' beginnings, outer ones first."""
    rows: list[list[Any]] = json.loads(path.read_text())
    spans = [Span(Kind[name], Of(*rest[:3]), *rest[3:]) for name, *rest in rows]
    return sorted(spans, key=lambda span: (span.begin, -span.end))
