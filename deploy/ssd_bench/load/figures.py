"""What a learner under load does, as figures: medians over several windows of time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ssd_bench.load.actors import Crowd
from ssd_bench.load.learner import Target
from ssd_run.progress.scraper import fetch

ANSWER = 10.0  # seconds that a busy learner has for its metrics


@dataclass(frozen=True)
class Reading:
    """All clocks and counters at one moment.

    Attributes:
        when, cpu, own_cpu: Seconds: wall, the learner's processor time, this process's.
        busy: Seconds the learner spent in updates.
        own_steps, updates, segments, checkpoints: The learner's counters.
        made, waits, waited, resent, dropped: The crowd's.
    """

    when: float
    cpu: float
    own_cpu: float
    busy: float
    own_steps: float
    updates: float
    segments: float
    checkpoints: float
    made: int
    waits: int
    waited: float
    resent: int
    dropped: int


def read(target: Target, crowd: Crowd) -> Reading:
    """Look at everything, now."""
    heard = fetch(target.metrics, ANSWER)
    return Reading(
        when=time.monotonic(),
        cpu=target.cpu_seconds(),
        own_cpu=time.process_time(),
        busy=heard["ssd_learner_busy_seconds_total"],
        own_steps=heard["ssd_learner_own_steps_total"],
        updates=heard["ssd_learner_updates_total"],
        segments=heard["ssd_learner_segments_received_total"],
        checkpoints=heard["ssd_learner_checkpoints_total"],
        made=crowd.made,
        waits=crowd.waits,
        waited=crowd.waited,
        resent=crowd.resent,
        dropped=crowd.dropped,
    )


@dataclass(frozen=True)
class Figures:
    """One window of time, or the medians of several.

    Attributes:
        seconds: Length of the window.
        segments_per_second: Received by the learner.
        own_steps_per_second: Trained on, or surplus in a learner that only takes in.
        megabytes_per_second: Received, 10⁶ bytes.
        updates_per_second: Of the weights.
        busy_share: Part of the time that the learner spent in updates.
        cpu_share: Processor time of the learner over wall time; its ZeroMQ thread counts too.
        cpu_microseconds: Processor time of the learner for each own-step; other work on the machine
            moves this least.
        load_cpu_share: The share of this process: near 1, it is the generator that is measured.
        waits_per_segment: How often an actor found no room, for each segment made.
        waiting_share: Part of the actors' time in which a segment was due and had no room.
        checkpoints: Written.
        resent, dropped: Segments sent again, and messages that could not be sent at once.
    """

    seconds: float
    segments_per_second: float
    own_steps_per_second: float
    megabytes_per_second: float
    updates_per_second: float
    busy_share: float
    cpu_share: float
    cpu_microseconds: float
    load_cpu_share: float
    waits_per_segment: float
    waiting_share: float
    checkpoints: float
    resent: float
    dropped: float


def between(a: Reading, b: Reading, actors: int, segment_bytes: int) -> Figures:
    """What happened from one reading to a later one."""
    seconds = b.when - a.when
    segments = (b.segments - a.segments) / seconds
    return Figures(
        seconds=seconds,
        segments_per_second=segments,
        own_steps_per_second=(b.own_steps - a.own_steps) / seconds,
        megabytes_per_second=segments * segment_bytes / 1e6,
        updates_per_second=(b.updates - a.updates) / seconds,
        busy_share=(b.busy - a.busy) / seconds,
        cpu_share=(b.cpu - a.cpu) / seconds,
        cpu_microseconds=1e6 * (b.cpu - a.cpu) / max(1.0, b.own_steps - a.own_steps),
        load_cpu_share=(b.own_cpu - a.own_cpu) / seconds,
        waits_per_segment=(b.waits - a.waits) / max(1, b.made - a.made),
        waiting_share=(b.waited - a.waited) / seconds / actors,
        checkpoints=b.checkpoints - a.checkpoints,
        resent=b.resent - a.resent,
        dropped=b.dropped - a.dropped,
    )


def median(windows: Sequence[Figures]) -> Figures:
    """Each figure's median, apart from the others."""
    names = Figures.__dataclass_fields__
    return Figures(**{n: statistics.median(getattr(one, n) for one in windows) for n in names})
