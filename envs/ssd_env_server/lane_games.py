"""The games of one lane: stepped together, reset when they end, observed by each agent."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ssd_env_server.episodes import Arena, Episode, first_episode_steps
from ssd_envs.batch import GameBatch
from ssd_wire.errors import RunFileError
from ssd_wire.fields import is_within
from ssd_wire.messages import LARGEST_FLOAT, Timestep


class LaneGames:
    """Plays a lane's games, episode after episode.

    Args:
        batch: The B games.
        lane: Index of the lane.
        arena: Determines the seeds of all episodes.
        env_incarnation: Of this server, for its messages.
        segment: T; the first episodes start at multiples of it.

    Attributes:
        tick: Steps played.
        episodes: Episodes that ended.
        busy_seconds: Time spent in `step`.
    """

    def __init__(
        self, batch: GameBatch, lane: int, arena: Arena, env_incarnation: int, segment: int
    ) -> None:
        self.tick = 0
        self.episodes = 0
        self.busy_seconds = 0.0
        self._batch = batch
        self._lane = lane
        self._arena = arena
        self._env_incarnation = env_incarnation
        self._actions = np.zeros((batch.num_games, batch.spec.num_agents), np.uint8)
        self._is_first = np.ones(batch.num_games, np.bool_)
        self._episode_number = np.zeros(batch.num_games, np.int64)  # [B]
        self._seed = np.zeros(batch.num_games, np.uint64)
        self._start_step = first_episode_steps(batch.num_games, batch.spec.horizon, segment)
        self._reset(np.arange(batch.num_games))
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
        """Step all games, and begin a new episode in each game that ended.

        Args:
            actions: [B, N] uint8, everyone's actions.

        Returns:
            The episodes that ended.

        Raises:
            RunFileError: the game's rules gave a reward that no message may hold.
        """
        began = time.perf_counter()
        self._batch.step(actions)
        self._check_rewards()
        self.tick += 1
        self._actions = actions.copy()
        self._is_first = self._batch.ended.copy()
        ended = np.flatnonzero(self._is_first)
        episodes = [self._episode(game) for game in ended.tolist()]
        if episodes:
            self._episode_number[ended] += 1
            self._start_step[ended] = 0
            self._reset(ended)
        self._batch.observe()
        self.episodes += len(episodes)
        self.busy_seconds += time.perf_counter() - began
        return episodes

    def timesteps(self) -> list[Timestep]:
        """[N] the timestep of each agent, without the optional arrays.

        The arrays are the batch's own; the next `step` overwrites them.
        """
        return [
            Timestep(
                env_incarnation=self._env_incarnation,
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

    def _check_rewards(self) -> None:
        rewards = self._batch.reward
        if not is_within(rewards, -LARGEST_FLOAT, LARGEST_FLOAT):
            wanted = f"{-LARGEST_FLOAT:g} to {LARGEST_FLOAT:g}"
            found = f"{rewards.min():g} to {rewards.max():g}"
            raise RunFileError(
                f"[game] {self._batch.spec.name}: wanted rewards of {wanted}, found {found}"
            )

    def _reset(self, which: NDArray[np.int64]) -> None:
        for game in which.tolist():
            number = int(self._episode_number[game])
            self._seed[game] = self._arena.episode_seed(self._lane, game, number)
        self._batch.reset(self._seed[which], which, self._start_step[which])

    def _episode(self, game: int) -> Episode:
        return Episode(
            lane=self._lane,
            game=game,
            number=int(self._episode_number[game]),
            seed=int(self._seed[game]),
            length=int(self._batch.episode_step[game] - self._start_step[game]),
            returns=self._batch.returns[game].copy(),
            counts=self._batch.counts[game].copy(),
            tick=self.tick,
        )
