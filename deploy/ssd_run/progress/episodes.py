"""The episodes that environments report, and averages of the last of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssd_run.json_lines import Tail

LAST_EPISODES = 100

COUNTS = ("apples", "cleaned", "fires", "opened", "opened_at")
"""Counts for each agent, where its game has them. Per episode: apples eaten, cells cleaned, fining
beams fired; the share of episodes in which it opened the box, and the mean step of the opening."""


@dataclass(frozen=True)
class Outcome:
    """Averages over the last full-length episodes; None where there is no value.

    Attributes:
        episodes: Their number, at most `LAST_EPISODES`.
        collective_return: Mean of the sum of all agents' returns.
        equality: Mean of 1 − G (eq. 9) over the episodes in which it is defined.
        equality_defined: The number of these: equality is undefined where returns sum to 0 or less,
            or one of them is negative.
        returns: Mean return of each agent; empty before the first episode.
        counts: Those of `COUNTS` that the game has, for each agent; empty before the first episode.
    """

    episodes: int
    collective_return: float | None
    equality: float | None
    equality_defined: int
    returns: tuple[float, ...]
    counts: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)


class Episodes:
    """Reads the files of the environments, one per arena, as they grow.

    Args:
        folder: Of the files; it may still be empty.
        horizon: Length of a full episode. Shorter episodes count only in `ended`: the first episode
            of a game is shortened.
        counts: Those of `COUNTS` that the game has.

    Attributes:
        ended: Episodes that have ended, short ones included.
    """

    def __init__(self, folder: Path, horizon: int, counts: Sequence[str] = ()) -> None:
        self.ended = 0
        self._counts = counts
        self._folder = folder
        self._horizon = horizon
        self._tails: dict[Path, Tail] = {}
        self._last: deque[Mapping[str, Any]] = deque(maxlen=LAST_EPISODES)

    def update(self) -> Outcome:
        """Read new lines; returns the averages over the last episodes."""
        for path in self._folder.glob("arena-*.jsonl"):
            self._tails.setdefault(path, Tail(path))
        added = [line for tail in self._tails.values() for line in tail.read()]
        self.ended += len(added)
        full = [line for line in added if line["length"] == self._horizon]
        self._last.extend(sorted(full, key=lambda line: line["time"]))
        return outcome(self._last, self._counts)


def counts_of(events: Collection[str]) -> tuple[str, ...]:
    """Those of `COUNTS` that a game with these events has."""
    return tuple(name for name in COUNTS if _event(name) in events)


def outcome(episodes: Iterable[Mapping[str, Any]], counts: Sequence[str] = ()) -> Outcome:
    """Averages over these episodes, with these of `COUNTS`."""
    lines = list(episodes)
    equalities = [line["equality"] for line in lines if line["equality"] is not None]
    return Outcome(
        episodes=len(lines),
        collective_return=_mean([line["collective_return"] for line in lines]),
        equality=_mean(equalities),
        equality_defined=len(equalities),
        returns=tuple(
            sum(each) / len(lines)
            for each in zip(*(line["returns"] for line in lines), strict=True)
        ),
        counts={name: _per_agent(name, lines) for name in counts},
    )


def _event(name: str) -> str:
    return "opened_at" if name == "opened" else name


def _per_agent(name: str, lines: Sequence[Mapping[str, Any]]) -> tuple[float | None, ...]:
    """One of `COUNTS` for each agent, averaged over these episodes."""
    agents = list(zip(*(line["counts"][_event(name)] for line in lines), strict=True))
    match name:
        case "opened":
            return tuple(_mean([step > 0 for step in steps]) for steps in agents)
        case "opened_at":
            return tuple(_mean([step for step in steps if step]) for steps in agents)
    return tuple(_mean(each) for each in agents)


def _mean(numbers: Sequence[float]) -> float | None:
    return sum(numbers) / len(numbers) if numbers else None
