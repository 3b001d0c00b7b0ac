"""Statistics of the episodes that have ended in one environment server, for its metrics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ssd_env_server.episodes import Episode
from ssd_envs.spec import EVENTS
from ssd_influence.measures import equality

LAST_EPISODES = 100

_IS_STEP = np.array([event.endswith("_at") for event in EVENTS])  # [E] a step, not a count


class EpisodeStatistics:
    """What happened in episodes of full length. The shortened first episodes do not count.

    Events are summed up, so that the rate of a sum over the rate of `episodes` is their mean in one
    episode, over any time. Returns may be negative, so their sum may fall, which the counters of
    Prometheus must not: the mean over the last episodes is kept instead.

    Args:
        agents: N.
        horizon: Steps of a full episode.
        events: Those of `EVENTS` that the game has.

    Attributes:
        episodes: Full episodes that ended.
        mean_return: [N] the mean return of each agent over the last `LAST_EPISODES` of them; empty
            before the first.
        mean_equality: Mean of 1 − G (eq. 9) over those of them in which it is defined; None where
            there is none.
    """

    def __init__(self, agents: int, horizon: int, events: Sequence[str]) -> None:
        self.episodes = 0
        self.mean_return: tuple[float, ...] = ()
        self.mean_equality: float | None = None
        self._horizon = horizon
        self._events = events
        self._last: deque[NDArray[np.float64]] = deque(maxlen=LAST_EPISODES)
        self._counts = np.zeros((agents, len(EVENTS)), np.int64)

    @property
    def counts(self) -> Mapping[str, Sequence[int]]:
        """By event of the game, [N] how many of them each agent has had.

        ``opened`` counts the episodes in which an agent opened the box.
        """
        by_event = dict(zip(EVENTS, self._counts.T.tolist(), strict=True))
        return {event.removesuffix("_at"): by_event[event] for event in self._events}

    def add(self, episodes: Iterable[Episode]) -> None:
        """Add those of these episodes that have the full length."""
        full = [episode for episode in episodes if episode.length == self._horizon]
        if not full:
            return
        for episode in full:
            self._counts += np.where(_IS_STEP, episode.counts > 0, episode.counts)
            self._last.append(episode.returns)
        self.episodes += len(full)
        self.mean_return = tuple(np.mean(self._last, axis=0).tolist())
        defined = [share for each in self._last if (share := equality(each)) is not None]
        self.mean_equality = float(np.mean(defined)) if defined else None
