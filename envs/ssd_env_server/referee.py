"""What to answer to whom. No sockets, no clock, no games: messages in, messages out."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ssd_env_server.lane import Lane
from ssd_env_server.seats import Holder, Seats
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Act, Join, Message, Refused, Seat, Timestep

OFFER_AGAIN_S = 1.0  # after so long without an answer, a timestep is sent once more
NOTED_PEERS = 1024  # of so many peers at most we remember that their refusal is in the log

Sends = list[tuple[bytes, Message]]

_log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What the referee has seen so far."""

    refusals: int = 0
    protocol_errors: int = 0
    repeats: int = 0
    reoffers: int = 0


@dataclass
class Referee:
    """Seats the actors and collects their actions.

    Args:
        seat: What whoever joins is told.
        fingerprint: This run's.
        lanes: One per group of games.
    """

    seat: Seat
    fingerprint: str
    lanes: Sequence[Lane]
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.seats = Seats(self.seat.agents)
        self._noted: set[bytes] = set()

    def hear(self, peer: bytes, message: Message, now: float) -> Sends:
        """What to send, now that this peer has sent this message.

        Raises:
            ProtocolError: when no honest peer would send it.
        """
        match message:
            case Act():
                return self._act(peer, message, now)
            case Join():
                return self._join(peer, message)
            case Refused():  # never answered, or two peers would refuse each other for ever
                self._note(peer, f"refuses us: {message.reason!r}")
        return []

    def refuse(self, peer: bytes, reason: str, *, fatal: bool = True) -> Sends:
        """Tell a peer why its message was not taken."""
        self.counts.refusals += 1
        self._note(peer, f"is refused: {reason}")
        return [(peer, Refused(reason[:1000], fatal))]

    def refuse_nonsense(self, peer: bytes, fault: ProtocolError) -> Sends:
        """Tell a peer that what it sent is no message of this run, so that it goes away."""
        self.counts.protocol_errors += 1
        return self.refuse(peer, str(fault))

    def turn(self, lane: Lane, timesteps: Sequence[Timestep], now: float) -> Sends:
        """Move a lane on, and tell everyone seated who follows nobody what came of it."""
        lane.turn(timesteps)
        return self._offer(lane, range(len(timesteps)), now)

    def reoffers(self, now: float) -> Sends:
        """The timesteps that have waited too long for an answer, and must be sent again."""
        sends: Sends = []
        for lane in self.lanes:
            if now - lane.offered >= OFFER_AGAIN_S:
                sends += self._offer(lane, range(self.seat.agents), now)
        self.counts.reoffers += len(sends)
        return sends

    def patience(self, now: float) -> float:
        """For how many seconds nothing needs to be sent unless something arrives."""
        return max(0.0, min(lane.offered for lane in self.lanes) + OFFER_AGAIN_S - now)

    def _offer(self, lane: Lane, agents: Collection[int], now: float) -> Sends:
        """What a lane owes to these of the agents that are seated."""
        lane.offered = now
        told = [(agent, peer) for agent, peer in self.seats if agent in agents]
        return [(peer, step) for agent, peer in told for step in lane.owed_to(agent)]

    def _act(self, peer: bytes, act: Act, now: float) -> Sends:
        agent = self.seats.agent_of(peer)
        if agent is None or act.env_incarnation != self.seat.env_incarnation:
            return self.refuse(peer, "this world does not know you: join again", fatal=False)
        if act.lane >= len(self.lanes):
            raise ProtocolError(f"lane: wanted less than {len(self.lanes)}, found {act.lane}")
        # An old tick's repeat is not answered with the newest timestep: the answer to that would
        # be another repeat, and so on for ever. What got lost is offered again in time.
        lane = self.lanes[act.lane]
        freed = lane.answer(agent, act)
        if freed is None:
            self.counts.repeats += 1
        return self._offer(lane, freed, now) if freed else []

    def _join(self, peer: bytes, join: Join) -> Sends:
        asking = Holder(peer, join.actor_incarnation)
        if join.fingerprint != self.fingerprint:
            found = f"{join.fingerprint!r:.80}"
            reason = f"another run: this world's fingerprint is {self.fingerprint!r}, yours {found}"
            return self.refuse(peer, reason)
        if join.agent >= self.seat.agents:
            return self.refuse(peer, f"wanted an agent below {self.seat.agents}: {join.agent}")
        if objection := self.seats.objection(join.agent, asking):
            return self.refuse(peer, objection)
        if self.seats.agent_of(peer) is None:
            _log.info("agent %d joins, incarnation %d", join.agent, join.actor_incarnation)
        sends: Sends = []
        if before := self.seats.take(join.agent, asking):
            reason = f"agent {join.agent} is played by a process that started later"
            sends += self.refuse(before.peer, reason)
        owed = (step for lane in self.lanes for step in lane.owed_to(join.agent))
        return [*sends, (peer, self.seat), *((peer, step) for step in owed)]

    def _note(self, peer: bytes, what: str) -> None:
        if peer not in self._noted and len(self._noted) < NOTED_PEERS:
            self._noted.add(peer)
            _log.warning("peer %r %s", peer, what)
