"""Who sits where: one seat per agent, held by the newest process that asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """The process that plays an agent.

    Args:
        peer: The connection over which it said so last.
        incarnation: The random number that it drew when it started.
    """

    peer: bytes
    incarnation: int


class Seats:
    """The seats of an arena's agents, all free at first.

    A process that starts anew for an agent takes the seat from whoever had it. The one before is
    most likely dead, and if it is not, it may never come back. One that comes over another
    connection keeps its seat, and is answered there.

    Args:
        agents: N.
    """

    def __init__(self, agents: int) -> None:
        self._holders: list[Holder | None] = [None] * agents
        self._agents: dict[bytes, int] = {}
        self._retired: set[tuple[int, int]] = set()  # agent and incarnation

    def __len__(self) -> int:
        """How many seats are taken."""
        return len(self._agents)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """The taken seats: agent and peer."""
        return ((agent, peer) for peer, agent in self._agents.items())

    def agent_of(self, peer: bytes) -> int | None:
        """The agent that this peer plays, if it has a seat."""
        return self._agents.get(peer)

    def objection(self, agent: int, asking: Holder) -> str | None:
        """Why this process may not have this seat; None if it may, or has it already."""
        if (agent, asking.incarnation) in self._retired:
            return f"agent {agent} is played by a process that started later"
        seated = self._agents.get(asking.peer)
        if seated is not None and self._holders[agent] != asking:
            return f"this connection plays agent {seated} already, and may not join as another"
        return None

    def take(self, agent: int, asking: Holder) -> Holder | None:
        """Seat a process against which there is no `objection`.

        Returns:
            Who lost the seat to it, if another process did.
        """
        before = self._holders[agent]
        if before is not None:
            del self._agents[before.peer]
        self._holders[agent] = asking
        self._agents[asking.peer] = agent
        if before is None or before.incarnation == asking.incarnation:
            return None
        self._retired.add((agent, before.incarnation))
        return before
