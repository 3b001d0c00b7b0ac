"""The progress of a run at one moment, from the metrics of all processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ssd_learner.reporting.update_metrics import UPDATE_METRICS
from ssd_run.progress.episodes import COUNTS, Outcome
from ssd_run.progress.scraper import Metrics

METRIC_NAMES = tuple(metric.name for metric in UPDATE_METRICS)
"""Metrics of a learner's last update. Some exist only in some experiments, or for some learners."""


@dataclass(frozen=True)
class AgentProgress:
    """The progress of one learner.

    Attributes:
        own_steps: Agent-steps of this agent that it has trained.
        updates: Number of its updates.
        complete: Whether it has trained all of its steps.
        episode_return: Mean over the last full episodes, None before there are any.
        counts: `COUNTS` over the same episodes; None where the game does not have them.
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
        agents: In order.
        outcome: Averages over the last full-length episodes.
        episodes: That have ended, short ones included.
        speed: Agent-steps trained per second at the moment; None at the start.
        waiting: Seconds that all actors together have waited, by what they waited for.
        restarts: Role → number of restarts.
        unresponsive: Roles that do not answer: still starting, restarting, or hanging.
        cannot_write: Roles that cannot write to disk, and keep what they have to write.
        phase: What the run is doing before the first update of this launch; empty afterwards.
    """

    elapsed: float
    agents: tuple[AgentProgress, ...]
    outcome: Outcome
    episodes: int
    speed: float | None
    waiting: Mapping[str, float]
    restarts: Mapping[str, int]
    unresponsive: tuple[str, ...] = ()
    cannot_write: tuple[str, ...] = ()
    phase: str = ""

    @property
    def agent_steps(self) -> int:
        """Agent-steps that all learners together have trained; ``--steps`` counts these."""
        return sum(agent.own_steps for agent in self.agents)

    @property
    def complete(self) -> bool:
        """Whether every learner has trained all of its steps."""
        return all(agent.complete for agent in self.agents)

    def mean(self, metric: str) -> float | None:
        """The mean of a metric over the agents that have it."""
        numbers = [n for agent in self.agents if (n := agent.metrics[metric]) is not None]
        return sum(numbers) / len(numbers) if numbers else None

    def total(self, count: str) -> float | None:
        """The sum of one of `COUNTS` over all agents."""
        numbers = [n for agent in self.agents if (n := agent.counts[count]) is not None]
        return sum(numbers) if numbers else None


def agents_of(
    latest: Mapping[str, Metrics], before: Sequence[AgentProgress], outcome: Outcome
) -> tuple[AgentProgress, ...]:
    """The progress of every learner, from its latest metrics.

    Args:
        latest: Role → its metrics.
        before: The progress when this launch began, used until there are metrics.
        outcome: Averages over the last episodes.
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
    updates = int(metrics.get("ssd_learner_weights_version", 0))
    names = METRIC_NAMES if updates else ()
    return AgentProgress(
        own_steps=int(metrics.get("ssd_learner_own_steps", 0)),
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
    """What a launch is doing before its first update, for people; empty afterwards.

    Args:
        running: Roles of the running processes.
        latest: Roles that have answered.
        agents: The progress of every learner.
        before: The progress when this launch began.
    """
    if any(a.updates > b.updates or a.complete for a, b in zip(agents, before, strict=True)):
        return ""
    if not running:
        return "loading libraries; on the first run, compiling kernels"
    up = sum(role in latest for role in running)
    if up < len(running):
        return f"starting: {up} of {len(running)} processes are up"
    return "collecting the first batch"


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


def cannot_write_of(latest: Mapping[str, Metrics]) -> tuple[str, ...]:
    """Roles that said last that they cannot write a checkpoint, or lines of episodes."""
    alarms = ("ssd_learner_checkpoint_failing", "ssd_env_episode_log_failing")
    return tuple(
        sorted(role for role, metrics in latest.items() if any(metrics.get(a) for a in alarms))
    )
