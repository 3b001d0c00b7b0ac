"""The games of one lane: stepped, begun anew when they end, and told to each agent apart."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ssd_env_server.episodes import Arena, Episode, first_clocks
from ssd_envs.batch import GameBatch
from ssd_wire.messages import Timestep


class LaneGames:
    """Plays a lane's games, episode after episode.

    Args:
        batch: The games, B of them.
        lane: The lane's number.
        arena: What the episodes' seeds follow from.
        world: Incarnation of the world, as messages name it.
        segment: T, in whose multiples the first episodes are staggered.
    """

    def __init__(self, batch: GameBatch, lane: int, arena: Arena, world: int, segment: int) -> None:
        self.tick = 0
        self.episodes = 0
        self.busy_seconds = 0.0
        self._batch = batch
        self._lane = lane
        self._arena = arena
        self._world = world
        self._actions = np.zeros((batch.num_games, batch.spec.num_agents), np.uint8)
        self._is_first = np.ones(batch.num_games, np.bool_)
        self._number = np.zeros(batch.num_games, np.int64)  # of each game's episode
        self._seed = np.zeros(batch.num_games, np.uint64)
        self._start = first_clocks(batch.num_games, batch.spec.horizon, segment)
        self._begin(np.arange(batch.num_games))
        batch.observe()

    @property
    def games(self) -> int:
        """B."""
        return self._batch.num_games

    @property
    def agents(self) -> int:
        """N."""
        return self._batch.spec.num_agents

    def step(self, actions: NDArray[np.uint8]) -> list[Episode]:
        """Play one step in all games, and begin a new episode where one ended.

        Args:
            actions: [B, N] uint8 what each agent does.

        Returns:
            The episodes that ended.
        """
        began = time.perf_counter()
        self._batch.step(actions)
        self.tick += 1
        self._actions = actions.copy()
        self._is_first = self._batch.ended.copy()
        ended = np.flatnonzero(self._is_first)
        episodes = [self._episode(game) for game in ended.tolist()]
        if episodes:
            self._number[ended] += 1
            self._start[ended] = 0
            self._begin(ended)
        self._batch.observe()
        self.episodes += len(episodes)
        self.busy_seconds += time.perf_counter() - began
        return episodes

    def timesteps(self) -> list[Timestep]:
        """What each of the N agents is told now, and nothing that another one is told.

        The arrays are the batch's own and hold until the next `step`.
        """
        return [
            Timestep(
                env_incarnation=self._world,
                lane=self._lane,
                tick=self.tick,
                pixels=self._batch.pixels[agent],
                is_first=self._is_first,
                reward=self._batch.reward[agent],
                actions=self._actions,
                visible=self._batch.visible[agent],
            )
            for agent in range(self.agents)
        ]

    def _begin(self, which: NDArray[np.int64]) -> None:
        for game in which.tolist():
            number = int(self._number[game])
            self._seed[game] = self._arena.episode_seed(self._lane, game, number)
        self._batch.reset(self._seed[which], which, self._start[which])

    def _episode(self, game: int) -> Episode:
        return Episode(
            lane=self._lane,
            game=game,
            number=int(self._number[game]),
            seed=int(self._seed[game]),
            length=int(self._batch.episode_step[game] - self._start[game]),
            returns=self._batch.returns[game].copy(),
            counts=self._batch.counts[game].copy(),
            tick=self.tick,
        )
