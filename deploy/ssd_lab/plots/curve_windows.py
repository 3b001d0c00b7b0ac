"""Learning curves of finished or running runs, as windows of 100 full-length episodes.

A point of a curve is a window of 100 consecutive full-length episodes of one run, with a 99.5 %
confidence interval of their mean, as if they were independent. The interval shows the chance in
these episodes, not the difference between seeds. The bands in figures 1, 4 and 7 of the paper are
over five seeds, so the two cannot be compared.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssd_envs.spec import GameSettings
from ssd_run.json_lines import read_lines
from ssd_wire.run_file import RunSettings, Sections, load_run_file, section

WINDOW = 100  # episodes
CONFIDENCE = 0.995
_Z = statistics.NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


@dataclass(frozen=True)
class Point:
    """One window of one run, with the means of its learners' metrics in that time.

    Attributes:
        run: Name of the run directory.
        preset: Of the run.
        seed: Of the run.
        agent_steps: Of all agents when the last episode ended, interpolated between records.
        own_steps: Mean over the agents, likewise.
        collective_return: Mean over the window.
        low, high: Bounds of its confidence interval, over this run's episodes.
        equality: Mean over the episodes in which it is defined, or None.
        apples, cleaned, fires: Mean counts per episode, of all agents together.
        cleaned_most: The same of the agent that cleaned most.
        influence_nats: Mean over the agents of c per own-step; None without an influence reward.
        moa_loss_nats: Likewise, the MOA's cross-entropy.
        moa_marginal_entropy_nats: Likewise, the entropy of the action marginals it must beat.
        moa_margin_nats: Likewise, the entropy minus the cross-entropy, before training.
        policy_entropy_nats: Likewise, of the policies.
        kl_nats, explained_variance: Likewise, as learners report them.
        policy_information_nats: Likewise; 0 if actions do not depend on views.
    """

    run: str
    preset: str
    seed: int
    agent_steps: int
    own_steps: int
    collective_return: float
    low: float
    high: float
    equality: float | None
    apples: float
    cleaned: float
    cleaned_most: float
    fires: float
    influence_nats: float | None
    moa_loss_nats: float | None
    moa_marginal_entropy_nats: float | None
    moa_margin_nats: float | None
    policy_entropy_nats: float | None
    kl_nats: float | None
    explained_variance: float | None
    policy_information_nats: float | None


_METRICS = (
    "influence_nats",
    "moa_loss_nats",
    "moa_marginal_entropy_nats",
    "moa_margin_nats",
    "policy_entropy_nats",
    "kl_nats",
    "explained_variance",
    "policy_information_nats",
)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of at least two values, and the bounds of its 99.5 % confidence interval."""
    mean = statistics.fmean(values)
    margin = _Z * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - margin, mean + margin


def curve(run_dir: Path, every: int = WINDOW // 4) -> list[Point]:
    """The windows of a run, in order of time; none before 100 full-length episodes have ended.

    Args:
        run_dir: The run directory. If `ssd-train` has not made it, it has no `metrics.jsonl`: then
            the steps are those that were played in episodes that have ended, and learners' metrics
            are None.
        every: Episodes from one window to the next.

    Raises:
        RunFileError: when it is no run directory.
    """
    sections = load_run_file(run_dir / "run.toml")
    horizon = section(sections, "game", GameSettings).horizon
    lines = [line for path in run_dir.glob("episodes/*.jsonl") for line in read_lines(path)]
    episodes = sorted((e for e in lines if e["length"] == horizon), key=lambda e: e["time"])
    path = run_dir / "metrics.jsonl"
    records = read_lines(path) if path.exists() else _records_of(lines)
    if not records:
        return []
    name, clock = run_dir.resolve().name, _Clock(records)
    ends = range(WINDOW, len(episodes) + 1, every)
    return [_point(name, sections, episodes[end - WINDOW : end], clock) for end in ends]


def _records_of(episodes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Own-steps of each agent that were played by the end of each episode, in order of time."""
    ordered = sorted(episodes, key=lambda episode: episode["time"])
    played = itertools.accumulate(episode["length"] for episode in ordered)
    return [
        {"time": episode["time"], "own_steps": [steps] * len(episode["returns"])}
        for episode, steps in zip(ordered, played, strict=True)
    ]


def best(points: Sequence[Point]) -> Point:
    """The window with the highest collective return.

    It was chosen from many overlapping windows, so its confidence interval is not valid.
    """
    return max(points, key=lambda point: point.collective_return)


class _Clock:
    """The records of a run by time, and the steps of the agents at any time."""

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._records = records
        self._times = np.array([record["time"] for record in records])
        self._own_steps = np.array([statistics.fmean(record["own_steps"]) for record in records])
        self._agent_steps = np.array([sum(record["own_steps"]) for record in records])

    def steps(self, time: float) -> tuple[int, int]:
        """Agent-steps and mean own-steps at a time, interpolated between records."""
        counts = self._agent_steps, self._own_steps
        agent_steps, own_steps = (np.interp(time, self._times, count) for count in counts)
        return round(agent_steps), round(own_steps)

    def between(self, begin: float, end: float) -> Sequence[Mapping[str, Any]]:
        """The records in a period; if there are none, the last one before it."""
        stop = max(1, int(np.searchsorted(self._times, end, "right")))
        start = min(int(np.searchsorted(self._times, begin)), stop - 1)
        return self._records[start:stop]


def _point(
    name: str, sections: Sections, window: Sequence[Mapping[str, Any]], clock: _Clock
) -> Point:
    mean, low, high = interval([episode["collective_return"] for episode in window])
    equalities = [e["equality"] for e in window if e["equality"] is not None]
    counts = {event: _each_agent(window, event) for event in ("apples", "cleaned", "fires")}
    agent_steps, own_steps = clock.steps(window[-1]["time"])
    during = clock.between(window[0]["time"], window[-1]["time"])
    return Point(
        run=name,
        preset=sections.get("preset", {}).get("name", "run"),
        seed=section(sections, "run", RunSettings).seed,
        agent_steps=agent_steps,
        own_steps=own_steps,
        collective_return=round(mean, 2),
        low=round(low, 2),
        high=round(high, 2),
        equality=_mean(equalities),
        cleaned_most=max(counts["cleaned"]),
        apples=round(sum(counts["apples"]), 2),
        cleaned=round(sum(counts["cleaned"]), 2),
        fires=round(sum(counts["fires"]), 2),
        **{name: _mean(_numbers(during, name)) for name in _METRICS},
    )


def _each_agent(window: Sequence[Mapping[str, Any]], event: str) -> list[float]:
    """The mean count of an event per episode, for each agent."""
    agents = zip(*(episode["counts"][event] for episode in window), strict=True)
    return [round(statistics.fmean(agent), 2) for agent in agents]


def _numbers(records: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """All values of a metric, of all agents, in these records."""
    return [n for record in records for n in record.get(name, []) if n is not None]


def moa_margin(run_dir: Path) -> list[float | None]:
    """The margin of each agent's MOA over the entropy of the action marginals, in nats.

    The mean over the last half of a run's records, each of a batch that the MOA had not been
    trained on. None for an agent without a MOA, or that never saw another agent.
    """
    records = read_lines(run_dir / "metrics.jsonl")
    margins = [record["moa_margin_nats"] for record in records if "moa_margin_nats" in record]
    agents = zip(*margins[len(margins) // 2 :], strict=True)
    return [_mean([margin for margin in each if margin is not None]) for each in agents]


def _mean(numbers: Sequence[float]) -> float | None:
    return float(f"{statistics.fmean(numbers):.4g}") if numbers else None
