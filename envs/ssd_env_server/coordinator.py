"""Decides which messages to send. No sockets, no clock, no games: messages in, messages out."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ssd_env_server.lane import Lane
from ssd_env_server.seats import Holder, Seats
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Act, Join, Message, Refused, Seat, Timestep

RESEND_SECONDS = 1.0  # after this long without an answer, a timestep is sent again
PARKED_TICK_SECONDS = 1.0  # how long a tick lasts once all learners are complete

Sends = list[tuple[bytes, Message]]  # connection and message

_log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What has happened so far."""

    refusals: int = 0
    protocol_errors: int = 0
    repeated_acts: int = 0
    resent_timesteps: int = 0


@dataclass
class Coordinator:
    """Assigns seats to actors and collects their acts.

    Args:
        seat: The answer to every accepted Join.
        fingerprint: This run's.
        lanes: In the order of their numbers.
    """

    seat: Seat
    fingerprint: str
    lanes: Sequence[Lane]
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.seats = Seats(self.seat.agents)

    def handle(self, peer: bytes, message: Message, now: float) -> Sends:
        """What to send because this peer sent this message.

        Raises:
            ProtocolError: when the message violates the protocol.
        """
        match message:
            case Act():
                return self._act(peer, message, now)
            case Join():
                return self._join(peer, message)
            case Refused():  # no answer, or two peers could refuse each other endlessly
                _log.warning("peer %r refused a message: %.300r", peer, message.reason)
        return []

    def refuse(
        self, peer: bytes, reason: str, *, fatal: bool = True, replaced: bool = False
    ) -> Sends:
        """Tell a peer why its message was not accepted."""
        self.counts.refusals += 1
        _log.warning("peer %r was refused: %.300s", peer, reason)
        return [(peer, Refused(reason[:1000], fatal, replaced))]

    def refuse_invalid(self, peer: bytes, fault: ProtocolError) -> Sends:
        """Refuse an invalid message for good."""
        self.counts.protocol_errors += 1
        return self.refuse(peer, str(fault))

    def advance(self, lane: Lane, timesteps: Sequence[Timestep], now: float) -> Sends:
        """Go to a lane's next tick; send its timesteps to all agents without leaders."""
        lane.advance(timesteps, now)
        return self._unanswered(lane, range(len(timesteps)), now)

    def can_step(self, lane: Lane, now: float) -> bool:
        """Whether to step a lane: all agents have acted, and slowly once all learners are complete.

        Slowly, not never: so an agent whose learner gets another budget can say that it needs more.
        """
        is_early = now < lane.began_at + PARKED_TICK_SECONDS
        return lane.is_complete and not (is_early and lane.is_parked)

    @property
    def is_run_complete(self) -> bool:
        """Whether all learners are complete, as their actors said at the last ticks."""
        return all(lane.was_parked for lane in self.lanes)

    def resends(self, now: float) -> Sends:
        """The timesteps that have been without an answer for too long."""
        sends: Sends = []
        for lane in self.lanes:
            if now - lane.sent_at >= RESEND_SECONDS:
                sends += self._unanswered(lane, range(self.seat.agents), now)
        self.counts.resent_timesteps += len(sends)
        return sends

    def seconds_until_due(self, now: float) -> float:
        """How long there is nothing to do unless a message arrives."""
        due = [lane.sent_at + RESEND_SECONDS for lane in self.lanes]
        due += [lane.began_at + PARKED_TICK_SECONDS for lane in self.lanes if lane.is_parked]
        return max(0.0, min(due) - now)

    def _unanswered(self, lane: Lane, agents: Collection[int], now: float) -> Sends:
        """The unanswered timesteps of these agents, as far as they have a seat."""
        lane.sent_at = now
        seated = [(agent, peer) for agent, peer in self.seats if agent in agents]
        return [(peer, step) for agent, peer in seated for step in lane.unanswered(agent)]

    def _act(self, peer: bytes, act: Act, now: float) -> Sends:
        agent = self.seats.agent_of(peer)
        if agent is None or act.env_incarnation != self.seat.env_incarnation:
            return self.refuse(peer, "no seat in this environment: join again", fatal=False)
        if act.lane >= len(self.lanes):
            raise ProtocolError(f"lane: wanted less than {len(self.lanes)}, found {act.lane}")
        # A repeated act is not answered with the newest timestep. The actor would answer that with
        # a repeated act, and so on endlessly. A lost timestep is sent again after `RESEND_SECONDS`.
        lane = self.lanes[act.lane]
        released = lane.add_act(agent, act)
        if released is None:
            self.counts.repeated_acts += 1
        return self._unanswered(lane, released, now) if released else []

    def _join(self, peer: bytes, join: Join) -> Sends:
        candidate = Holder(peer, join.actor_incarnation)
        if join.fingerprint != self.fingerprint:
            found = f"{join.fingerprint!r:.80}"
            return self.refuse(
                peer,
                f"another run: the environment's fingerprint is {self.fingerprint!r}, "
                f"the actor's {found}",
            )
        if join.agent >= self.seat.agents:
            return self.refuse(peer, f"wanted an agent below {self.seat.agents}: {join.agent}")
        if objection := self.seats.objection(join.agent, candidate):
            was_replaced = self.seats.was_replaced(join.agent, candidate)
            return self.refuse(peer, objection, replaced=was_replaced)
        if self.seats.agent_of(peer) is None:
            _log.info("agent %d joined, incarnation %d", join.agent, join.actor_incarnation)
        sends: Sends = []
        if replaced := self.seats.take(join.agent, candidate):
            reason = f"a newer process plays agent {join.agent}"
            sends += self.refuse(replaced.peer, reason, replaced=True)
        unanswered = (step for lane in self.lanes for step in lane.unanswered(join.agent))
        return [*sends, (peer, self.seat), *((peer, step) for step in unanswered)]
