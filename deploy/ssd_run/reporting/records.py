"""Writes the progress of a run to `metrics.jsonl` and to TensorBoard's event files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ssd_run.json_lines import read_lines
from ssd_run.progress.episodes import COUNTS
from ssd_run.progress.progress import METRIC_NAMES, Progress
from ssd_run.reporting.tensorboard import Scalar, TensorBoard
from ssd_run.run_directory import RunDir
from ssd_wire.process.json_lines import JsonLinesFile

PERIOD = 10.0  # seconds between lines
TOTALS = ("apples", "cleaned", "fires")  # those of `COUNTS` whose sum over agents has a meaning


def record(progress: Progress, now: float) -> dict[str, Any]:
    """One line of `metrics.jsonl`. Lists have one number per agent, in order.

    Args:
        progress: Of the run.
        now: Unix time in seconds.
    """
    agents, outcome = progress.agents, progress.outcome
    return {
        "time": round(now, 3),
        "elapsed_seconds": round(progress.elapsed, 3),
        "agent_steps": progress.agent_steps,
        "agent_steps_per_second": progress.speed,
        "episodes": progress.episodes,
        "last_episodes": outcome.episodes,
        "collective_return": outcome.collective_return,
        "equality": outcome.equality,
        "equality_defined": outcome.equality_defined,
        "waiting_seconds": dict(progress.waiting),
        "restarts": sum(progress.restarts.values()),
        "own_steps": [agent.own_steps for agent in agents],
        "updates": [agent.updates for agent in agents],
        "returns": [agent.episode_return for agent in agents],
        **{name: [agent.counts[name] for agent in agents] for name in COUNTS},
        **{name: [agent.metrics[name] for agent in agents] for name in METRIC_NAMES},
    }


def elapsed_before(run_dir: RunDir) -> float:
    """Seconds that earlier launches of a run ran, from their records."""
    lines = read_lines(run_dir.metrics)
    return max((float(line.get("elapsed_seconds", 0.0)) for line in lines), default=0.0)


def scalars(progress: Progress) -> Iterator[Scalar]:
    """TensorBoard's scalars: name, value, and step.

    The step is the agent-steps for the run's own scalars, and the own-steps for an agent's.
    """
    steps = progress.agent_steps
    yield "run/collective_return", progress.outcome.collective_return, steps
    yield "run/equality", progress.outcome.equality, steps
    yield "run/episodes", progress.episodes, steps
    yield "run/agent_steps_per_second", progress.speed, steps
    for name in TOTALS:
        yield f"run/{name}", progress.total(name), steps
    for name in METRIC_NAMES:
        yield f"mean/{name}", progress.mean(name), steps
    for number, agent in enumerate(progress.agents):
        yield f"agent-{number}/return", agent.episode_return, agent.own_steps
        yield f"agent-{number}/updates", agent.updates, agent.own_steps
        for name, value in (*agent.counts.items(), *agent.metrics.items()):
            yield f"agent-{number}/{name}", value, agent.own_steps


class Records:
    """Both files of one launch; an earlier launch's lines and events stay.

    Args:
        run_dir: Where they are.
    """

    def __init__(self, run_dir: RunDir) -> None:
        self._lines = JsonLinesFile(run_dir.metrics)
        self._events = TensorBoard(run_dir.tensorboard)

    def write(self, progress: Progress) -> None:
        """Write the progress now; errors are kept in `fault`, and the run goes on."""
        now = time.time()
        self._lines.append([record(progress, now)])
        self._events.add(scalars(progress), now)

    @property
    def fault(self) -> OSError | None:
        """Why the last attempt to write failed; None where it did not."""
        return self._lines.fault or self._events.fault

    def close(self) -> None:
        """Write what is pending and close the files."""
        self._lines.close()
        self._events.close()
