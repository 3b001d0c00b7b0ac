"""The current tick of one lane: who has acted, and who can act now."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssd_env_server.disclosure import Disclosure
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Act, Timestep


class Lane:
    """A group of games that is stepped when all agents have acted, independently of other lanes.

    Within a tick, an agent with leaders gets its timestep only after all of them have acted,
    because the timestep contains their actions.

    Args:
        timesteps: [N] of tick 0, one per agent.
        games: B.
        disclosure: What agents learn of each other, and who leads whom.

    Attributes:
        tick: Steps played.
        began_at: When this tick began, in seconds.
        was_parked: Whether the tick before this one was parked, when it ended.
        sent_at: When timesteps of this tick were last sent, in seconds.
    """

    def __init__(self, timesteps: Sequence[Timestep], games: int, disclosure: Disclosure) -> None:
        agents = range(len(timesteps))
        self.tick = 0
        self.began_at = self.sent_at = 0.0
        self.was_parked = False
        self._disclosure = disclosure
        self._actions = np.zeros((games, len(agents)), np.uint8)
        self._num_leaders = [len(disclosure.leaders_of(agent)) for agent in agents]
        self._followers = [
            [other for other in agents if agent in disclosure.leaders_of(other)] for agent in agents
        ]
        self._begin_tick(disclosure.add_last_step(timesteps))

    @property
    def is_complete(self) -> bool:
        """Whether every agent has acted at this tick."""
        return self._num_missing == 0

    @property
    def is_parked(self) -> bool:
        """Whether every agent has acted, and all say that their learners are complete."""
        return self.is_complete and all(act and act.learner_complete for act in self._acts)

    @property
    def actions(self) -> NDArray[np.uint8]:
        """[B, N] uint8, everyone's actions at this tick; valid once the lane is complete."""
        return self._actions

    def add_act(self, agent: int, act: Act) -> Sequence[int] | None:
        """Store an agent's act; the first one for a tick counts.

        Args:
            agent: Who acts.
            act: Its arrays have been checked against the agent's dims.

        Returns:
            The agents for which this act was the last one that they waited for; None when the act
            is ignored because that tick has one already.

        Raises:
            ProtocolError: when the agent has not been sent the timestep of that tick.
        """
        limit = self.tick if self._num_awaited[agent] else self.tick + 1
        if act.tick >= limit:
            raise ProtocolError(f"tick: wanted below {limit}, found {act.tick}")
        if act.tick < self.tick or self._acts[agent] is not None:
            return None
        self._actions[:, agent] = act.action
        self._acts[agent] = act
        self._num_missing -= 1
        return [other for other in self._followers[agent] if self._is_released(other)]

    def unanswered(self, agent: int) -> Sequence[Timestep]:
        """The timestep that this agent can answer and has not: one or none."""
        if self._acts[agent] is None and not self._num_awaited[agent]:
            return [self._timesteps[agent]]
        return []

    def advance(self, timesteps: Sequence[Timestep], now: float) -> None:
        """Go to the next tick.

        Args:
            timesteps: [N] of it, one per agent.
            now: When it begins, in seconds.
        """
        self.was_parked, self.began_at = self.is_parked, now
        acts = [act for act in self._acts if act is not None]
        self.tick += 1
        self._begin_tick(self._disclosure.add_last_step(timesteps, acts))

    def _begin_tick(self, timesteps: Sequence[Timestep]) -> None:
        self._timesteps = list(timesteps)
        self._acts: list[Act | None] = [None] * len(self._timesteps)
        self._num_missing = len(self._timesteps)
        self._num_awaited = list(self._num_leaders)  # [N] how many leaders have not acted

    def _is_released(self, follower: int) -> bool:
        """Count one more act of its leaders; whether it was the last one."""
        self._num_awaited[follower] -= 1
        if self._num_awaited[follower]:
            return False
        timestep = self._timesteps[follower]
        self._timesteps[follower] = self._disclosure.add_leaders(timestep, follower, self._acts)
        return True
