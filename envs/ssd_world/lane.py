"""One lane's turn: which tick it is at, who has answered it, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Timestep


class Lane:
    """A group of games that moves when all agents have acted, and waits for no other lane.

    Args:
        timesteps: [N] what each agent is told at tick 0.
        games: B.
    """

    def __init__(self, timesteps: Sequence[Timestep], games: int) -> None:
        self.tick = 0
        self.offered = 0.0  # when the tick's timesteps were last sent, in seconds
        self._timesteps = timesteps
        self._answered = [False] * len(timesteps)
        self._missing = len(timesteps)
        self._actions = np.zeros((games, len(timesteps)), np.uint8)

    @property
    def full(self) -> bool:
        """Whether every agent has answered this tick."""
        return self._missing == 0

    @property
    def actions(self) -> NDArray[np.uint8]:
        """[B, N] uint8 what the agents do at this tick; valid once the lane is full."""
        return self._actions

    def answer(self, agent: int, tick: int, action: NDArray[np.uint8]) -> bool:
        """Take an agent's answer to a tick; the first one stands.

        Args:
            agent: Whose answer it is.
            tick: The tick it answers.
            action: [B] uint8.

        Returns:
            Whether it was taken; false for one that had been answered before.

        Raises:
            ProtocolError: when that tick has not come yet.
        """
        if tick > self.tick:
            raise ProtocolError(f"tick: wanted at most {self.tick}, found {tick}")
        if tick < self.tick or self._answered[agent]:
            return False
        self._actions[:, agent] = action
        self._answered[agent] = True
        self._missing -= 1
        return True

    def owed_to(self, agent: int) -> Iterator[Timestep]:
        """The timestep that this agent has not answered, if there is one."""
        if not self._answered[agent]:
            yield self._timesteps[agent]

    def turn(self, timesteps: Sequence[Timestep]) -> None:
        """Move on to the next tick, in which nobody has answered.

        Args:
            timesteps: [N] what each agent is told at it.
        """
        self.tick += 1
        self._timesteps = timesteps
        self._answered = [False] * len(timesteps)
        self._missing = len(timesteps)
