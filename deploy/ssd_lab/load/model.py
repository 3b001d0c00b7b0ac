"""What each part of a run can take, and how much many arenas ask of it. Arithmetic, no sockets.

Everything an arena asks for grows with the own-steps it makes. A part on the way of segments that
is asked for too much holds all arenas to its own pace: every actor waits for its window. One on the
way of weights holds nobody: publications that do not fit are dropped, and actors act with older
weights.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SECONDS_IN_HOUR = 3600.0

TRAINING = "training"
TAKING_IN = "taking in segments (of a core)"
LINE_IN = "network, segments in"
CHECKPOINTS = "checkpoints"
PUBLISHING = "publishing weights (of a core)"
LINE_OUT = "network, weights out"
HOLDING = (TRAINING, TAKING_IN, LINE_IN, CHECKPOINTS)  # the others drop


@dataclass(frozen=True)
class Costs:
    """What was measured, per unit of work.

    Attributes:
        segment_bytes: Of one segment.
        segment_steps: Own-steps in one, T × B.
        weights_bytes: Of one publication.
        ingest_seconds: Processor time of a learner to take in one own-step.
        publish_seconds: Processor time of a learner to publish one version, to nobody.
        subscriber_seconds: Processor time more for each subscriber.
        checkpoint_seconds: Time that one checkpoint takes.
        retained: Segments that an actor keeps until they are durable.
    """

    segment_bytes: float
    segment_steps: float
    weights_bytes: float
    ingest_seconds: float
    publish_seconds: float
    subscriber_seconds: float
    checkpoint_seconds: float
    retained: float


@dataclass(frozen=True)
class Learner:
    """One agent's learner on some machine.

    Attributes:
        name: For the tables.
        own_steps_per_second: That it trains when there are always segments.
        batch_segments: In one update.
        gigabits_per_second: Of its network, each way.
        checkpoint_period: Longest time between checkpoints, seconds.
        assumed: Whether nobody measured it.
    """

    name: str
    own_steps_per_second: float
    batch_segments: int
    gigabits_per_second: float
    checkpoint_period: float
    assumed: bool


@dataclass(frozen=True)
class Arena:
    """One arena with its own cores: a world, and an actor for each agent.

    Attributes:
        name: For the tables.
        agent_steps_per_second: Of all its agents.
        agents: N.
    """

    name: str
    agent_steps_per_second: float
    agents: int

    @property
    def own_steps_per_second(self) -> float:
        """Of each agent, and so for each learner; equal to the arena's env-steps a second."""
        return self.agent_steps_per_second / self.agents


def asked(costs: Costs, learner: Learner, arena: Arena, arenas: int) -> dict[str, float]:
    """What share of each part so many arenas ask for; above 1 is too much.

    Parts on the way of segments are asked by arenas that nothing holds; those on the way of weights
    at the pace that the others leave. A core is one processor: a learner that also takes in and
    sends out wants two.
    """
    rate = arenas * arena.own_steps_per_second
    line = learner.gigabits_per_second * 1e9 / 8
    segments_of_one = arena.own_steps_per_second / costs.segment_steps
    checkpoints = max(1 / learner.checkpoint_period, segments_of_one / (costs.retained / 2))
    holding = {
        TRAINING: rate / learner.own_steps_per_second,
        TAKING_IN: rate * costs.ingest_seconds,
        LINE_IN: rate * costs.segment_bytes / costs.segment_steps / line,
        CHECKPOINTS: checkpoints * costs.checkpoint_seconds,
    }
    updates = pace(holding) * rate / (learner.batch_segments * costs.segment_steps)
    sent = costs.publish_seconds + arenas * costs.subscriber_seconds
    dropping = {
        PUBLISHING: updates * sent,
        LINE_OUT: updates * arenas * costs.weights_bytes / line,
    }
    return holding | dropping


def bottleneck(shares: Mapping[str, float]) -> str:
    """The part that is asked for most."""
    return max(shares, key=lambda part: shares[part])


def pace(shares: Mapping[str, float]) -> float:
    """The share of their own pace that arenas keep."""
    return 1 / max(1.0, *(shares[part] for part in HOLDING))


def heard(shares: Mapping[str, float]) -> float:
    """The share of versions that an arena hears."""
    return 1 / max(1.0, shares[PUBLISHING], shares[LINE_OUT])


def reached(costs: Costs, learner: Learner, arena: Arena, arenas: int) -> float:
    """Own-steps/s of each agent, and so env-steps/s, that so many arenas come to."""
    free = arenas * arena.own_steps_per_second
    return free * pace(asked(costs, learner, arena, arenas))


def hours(env_steps: float, env_steps_per_second: float) -> float:
    """How long that takes."""
    return env_steps / env_steps_per_second / SECONDS_IN_HOUR


def costs_of(
    trained: Sequence[Mapping[str, Any]],
    taken: Sequence[Mapping[str, Any]],
    published: Sequence[Mapping[str, Any]],
    checkpoint_seconds: float,
    retained: int,
) -> Costs:
    """Costs from measured rows.

    Args:
        trained: Rows of `ssd-load`.
        taken: Rows of `ssd-load --ingest-only`.
        published: Rows of `python -m ssd_lab.load.fanout`, for two or more numbers.
        checkpoint_seconds: Time of one checkpoint.
        retained: Of the run file.
    """
    micro = [row["figures"]["cpu_microseconds"] for row in taken]
    line = statistics.linear_regression(
        [row["subscribers"] for row in published], [row["cpu_microseconds"] for row in published]
    )
    first = trained[0]
    return Costs(
        segment_bytes=first["segment_bytes"],
        segment_steps=first["steps"] * first["games"],
        weights_bytes=first["weights_bytes"],
        ingest_seconds=statistics.median(micro) / 1e6,
        publish_seconds=max(0.0, line.intercept) / 1e6,
        subscriber_seconds=line.slope / 1e6,
        checkpoint_seconds=checkpoint_seconds,
        retained=retained,
    )


def core_rate(trained: Sequence[Mapping[str, Any]]) -> float:
    """Own-steps/s of a learner that has a core to itself and always segments.

    From its processor time, which other work on the machine moves least; the median over all
    numbers of actors.
    """
    return 1e6 / statistics.median(float(row["figures"]["cpu_microseconds"]) for row in trained)
