"""One lane's turn: which tick it is at, who has answered it, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ssd_env_server.disclosed import Disclosed
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Act, Timestep


class Lane:
    """A group of games that moves when all agents have acted, and waits for no other lane.

    Within a tick, who follows others is owed its timestep only once all of them have answered
    theirs; it tells what they do.

    Args:
        timesteps: [N] what each agent is told at tick 0.
        games: B.
        disclosed: What agents are told of one another, and who follows whom.
    """

    def __init__(self, timesteps: Sequence[Timestep], games: int, disclosed: Disclosed) -> None:
        agents = range(len(timesteps))
        self.tick = 0
        self.offered = 0.0  # when the tick's timesteps were last sent, in seconds
        self._disclosed = disclosed
        self._actions = np.zeros((games, len(agents)), np.uint8)
        self._leaders = [len(disclosed.follows(agent)) for agent in agents]
        self._followers = [
            [other for other in agents if agent in disclosed.follows(other)] for agent in agents
        ]
        self._begin(disclosed.tell(timesteps))

    @property
    def full(self) -> bool:
        """Whether every agent has answered this tick."""
        return self._missing == 0

    @property
    def actions(self) -> NDArray[np.uint8]:
        """[B, N] uint8 what the agents do at this tick; valid once the lane is full."""
        return self._actions

    def answer(self, agent: int, act: Act) -> Sequence[int] | None:
        """Take an agent's answer to a tick; the first one stands.

        Args:
            agent: Whose answer it is.
            act: It. Its arrays are those of the agent's part.

        Returns:
            The agents that waited for this answer and now wait for none; None when it was not
            taken, because that tick had been answered before.

        Raises:
            ProtocolError: when that tick has not come yet, or not yet for this agent.
        """
        due = self.tick if self._awaits[agent] else self.tick + 1
        if act.tick >= due:
            raise ProtocolError(f"tick: wanted below {due}, found {act.tick}")
        if act.tick < self.tick or self._acts[agent] is not None:
            return None
        self._actions[:, agent] = act.action
        self._acts[agent] = act
        self._missing -= 1
        return [other for other in self._followers[agent] if self._is_freed(other)]

    def owed_to(self, agent: int) -> Iterator[Timestep]:
        """The timestep that this agent can answer and has not, if there is one."""
        if self._acts[agent] is None and not self._awaits[agent]:
            yield self._timesteps[agent]

    def turn(self, timesteps: Sequence[Timestep]) -> None:
        """Move on to the next tick, in which nobody has answered.

        Args:
            timesteps: [N] what each agent is told at it.
        """
        acts = [act for act in self._acts if act is not None]
        self.tick += 1
        self._begin(self._disclosed.tell(timesteps, acts))

    def _begin(self, timesteps: Sequence[Timestep]) -> None:
        self._timesteps = list(timesteps)
        self._acts: list[Act | None] = [None] * len(self._timesteps)
        self._missing = len(self._timesteps)
        self._awaits = list(self._leaders)  # of how many leaders each agent awaits the answer

    def _is_freed(self, agent: int) -> bool:
        """Whether this agent awaited one more answer, and that was the last."""
        self._awaits[agent] -= 1
        if self._awaits[agent]:
            return False
        timestep = self._timesteps[agent]
        self._timesteps[agent] = self._disclosed.tell_follower(timestep, agent, self._acts)
        return True
