"""One seat per agent, held by the newest process that asked for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

MAX_REPLACED = 64  # processes of each agent that are remembered after others took their seat


@dataclass(frozen=True)
class Holder:
    """The process that plays an agent.

    Args:
        peer: The connection of its last Join.
        incarnation: The random number that it drew when it started.
    """

    peer: bytes
    incarnation: int


class Seats:
    """The seats of an arena's agents.

    A new process takes the seat from the one that holds it, which most likely has died. A process
    that joins again over another connection keeps its seat, and is answered over the new one. One
    that was replaced is refused, unless `MAX_REPLACED` others were replaced after it.

    Args:
        agents: N.
    """

    def __init__(self, agents: int) -> None:
        self._holders: list[Holder | None] = [None] * agents
        self._agents: dict[bytes, int] = {}  # by connection
        self._replaced = [deque[int](maxlen=MAX_REPLACED) for _ in range(agents)]  # incarnations

    def __len__(self) -> int:
        """How many seats are taken."""
        return len(self._agents)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """The taken seats: agent and connection."""
        return ((agent, peer) for peer, agent in self._agents.items())

    def agent_of(self, peer: bytes) -> int | None:
        """The agent that is played over this connection; None if there is none."""
        return self._agents.get(peer)

    def was_replaced(self, agent: int, candidate: Holder) -> bool:
        """Whether a newer process has taken this seat from this one."""
        return candidate.incarnation in self._replaced[agent]

    def objection(self, agent: int, candidate: Holder) -> str | None:
        """Why this process may not have this seat; None if it may, or has it already."""
        if self.was_replaced(agent, candidate):
            return f"a newer process plays agent {agent}"
        seated = self._agents.get(candidate.peer)
        if seated is not None and self._holders[agent] != candidate:
            return f"this connection plays agent {seated} already and cannot join as another"
        return None

    def take(self, agent: int, candidate: Holder) -> Holder | None:
        """Give the seat to a process against which there is no `objection`.

        Returns:
            The process that lost the seat, if another one held it.
        """
        before = self._holders[agent]
        if before is not None:
            del self._agents[before.peer]
        self._holders[agent] = candidate
        self._agents[candidate.peer] = agent
        if before is None or before.incarnation == candidate.incarnation:
            return None
        self._replaced[agent].append(before.incarnation)
        return before
