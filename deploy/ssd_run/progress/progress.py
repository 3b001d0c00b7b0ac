"""How far a run is, and how it goes: one picture of what all processes say of themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ssd_learner.reporting.update_metrics import UPDATE_METRICS
from ssd_run.progress.episodes import COUNTS, Outcome
from ssd_run.progress.scraper import Metrics

METRIC_NAMES = tuple(metric.name for metric in UPDATE_METRICS)
"""Some of them are of some experiments, or of some learners, only."""


@dataclass(frozen=True)
class AgentProgress:
    """One learner.

    Attributes:
        own_steps: Agent-steps of this agent trained on.
        updates: Of its weights.
        complete: Whether it has met its budget.
        episode_return: Mean over the last full episodes, None before there are any.
        counts: `COUNTS` of the same episodes; None where the game has no such thing.
        metrics: `METRIC_NAMES` of its last update; None where there is no such metric.
    """

    own_steps: int = 0
    updates: int = 0
    complete: bool = False
    episode_return: float | None = None
    counts: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(COUNTS))
    metrics: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(METRIC_NAMES))


@dataclass(frozen=True)
class Progress:
    """The whole run at one moment.

    Attributes:
        elapsed: Seconds that the run has run, over all of its launches.
        agents: In the order of their numbers.
        outcome: Of the last full episodes.
        episodes: That ended so far, short ones included.
        speed: Agent-steps trained per second just now, None at the start.
        waiting: Seconds that actors have spent waiting, all together, by what they waited for.
        restarts: Role → how often it was started again.
        silent: Roles that do not answer: not up yet, being started again, or stuck.
        phase: What goes on until the first update of this launch; nothing from then on.
    """

    elapsed: float
    agents: tuple[AgentProgress, ...]
    outcome: Outcome
    episodes: int
    speed: float | None
    waiting: Mapping[str, float]
    restarts: Mapping[str, int]
    unresponsive: tuple[str, ...] = ()
    phase: str = ""

    @property
    def agent_steps(self) -> int:
        """Of all agents together: those trained on, which is what ``--steps`` counts."""
        return sum(agent.own_steps for agent in self.agents)

    @property
    def complete(self) -> bool:
        """Whether every learner has met its budget."""
        return all(agent.complete for agent in self.agents)

    def mean(self, measure: str) -> float | None:
        """A measure's mean over the agents that have one."""
        numbers = [n for agent in self.agents if (n := agent.metrics[measure]) is not None]
        return sum(numbers) / len(numbers) if numbers else None

    def total(self, count: str) -> float | None:
        """One of `COUNTS` in an episode, of all agents together."""
        numbers = [n for agent in self.agents if (n := agent.counts[count]) is not None]
        return sum(numbers) if numbers else None


def agents_of(
    latest: Mapping[str, Metrics], before: Sequence[AgentProgress], outcome: Outcome
) -> tuple[AgentProgress, ...]:
    """Every learner's progress, from what it said last.

    Args:
        latest: Role → its metrics.
        before: Where each stood when this launch began; that holds until it says more.
        outcome: Of the last episodes.
    """
    returns = outcome.returns or (None,) * len(before)
    return tuple(
        replace(
            _agent(metrics) if (metrics := latest.get(f"learner-{number}")) else start,
            episode_return=returns[number],
            counts=dict.fromkeys(COUNTS)
            | {name: each[number] for name, each in outcome.counts.items() if each},
        )
        for number, start in enumerate(before)
    )


def _agent(metrics: Metrics) -> AgentProgress:
    updates = int(metrics.get("ssd_learner_updates_total", 0))
    names = METRIC_NAMES if updates else ()
    return AgentProgress(
        own_steps=int(metrics.get("ssd_learner_own_steps_total", 0)),
        updates=updates,
        complete=metrics.get("ssd_learner_complete", 0) == 1,
        metrics=dict.fromkeys(METRIC_NAMES)
        | {name: metrics.get(f"ssd_learner_{name}") for name in names},
    )


def phase_of(
    running: Sequence[str],
    latest: Collection[str],
    agents: Sequence[AgentProgress],
    before: Sequence[AgentProgress],
) -> str:
    """What a launch does before its first update, in words; nothing from then on.

    Args:
        running: Roles whose process runs.
        latest: Roles that have said anything.
        agents: Every learner's progress.
        before: Where each stood when this launch began.
    """
    if any(a.updates > b.updates or a.complete for a, b in zip(agents, before, strict=True)):
        return ""
    if not running:
        return "loading; kernels are compiled when this machine has never run them"
    up = sum(role in latest for role in running)
    if up < len(running):
        return f"starting: {up} of {len(running)} processes are up"
    return "playing: the first batch is not full yet"


def waiting_of(latest: Mapping[str, Metrics]) -> dict[str, float]:
    """Seconds that all actors have waited, for "env" and for "learner"."""
    return {
        reason: sum(
            metrics.get(f"ssd_actor_waiting_seconds_total{{for={reason}}}", 0.0)
            for role, metrics in latest.items()
            if role.startswith("actor-")
        )
        for reason in ("env", "learner")
    }
