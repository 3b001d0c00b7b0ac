"""The environment server's loop. Start here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from ssd_env_server.episodes import EpisodeLog
from ssd_env_server.games import LaneGames
from ssd_env_server.referee import Referee, Sends
from ssd_wire.codec import Lengths, decode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Act, Join, Message, Refused

HEARD_AT_ONCE = 256  # messages; then time passes for everyone else, whoever floods us


class Door(Protocol):
    """Where actors come and go: a ZeroMQ router, or lists in tests."""

    dropped: int
    sender: str | None  # who sent the message received last, by its key; None without keys

    def send(self, peer: bytes, message: Message) -> bool:
        """Send a copy without waiting; false when it was dropped."""

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All that has arrived: the peer's connection and its frames."""


class Stopping(Protocol):
    """Whether we were asked to stop."""

    requested: bool


class Wait(Protocol):
    """Sleeps until there is something to do."""

    def wait(self, seconds: float) -> object:
        """Return when a message arrived, when asked to stop, or when the time is over."""


@dataclass
class World:
    """All that the loop touches.

    Args:
        door: To the actors.
        referee: Decides who is told what.
        games: Per lane, in the order of the referee's.
        episodes: Where ended episodes are written down.
        dims: [N] of each agent's messages.
        clock: Tells the time in seconds, from any beginning.
    """

    door: Door
    referee: Referee
    games: Sequence[LaneGames]
    episodes: EpisodeLog
    dims: Sequence[Dims]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        # A peer without a seat may send what no role of this run sends: it is asked to join again.
        known = self.dims[0].lengths
        self._lengths_without_seat: Lengths = {axis: known[axis] for axis in "ABN"}

    def serve(self, stop: Stopping, idle: Wait) -> None:
        """Let the actors play until asked to stop. Start reading here."""
        while not stop.requested:
            for peer, frames in islice(self.door.receive(), HEARD_AT_ONCE):
                self._send(self._hear(peer, frames))
                for lane, games in zip(self.referee.lanes, self.games, strict=True):
                    if lane.full:
                        self.episodes.write(games.step(lane.actions))
                        self._send(self.referee.turn(lane, games.timesteps(), self.clock()))

            # Whatever was lost on the way, or went to an actor that is no more, goes out again.
            self._send(self.referee.reoffers(self.clock()))
            idle.wait(self.referee.patience(self.clock()))

    def _hear(self, peer: bytes, frames: list[bytes]) -> Sends:
        try:
            message = decode(frames, (Act, Join, Refused), self._lengths_for(peer))
            if isinstance(message, Join) and not self._may_join(message.agent):
                reason = f"its key is that of {self.door.sender}, not of actor-{message.agent}"
                return self.referee.refuse(peer, reason)
            return self.referee.hear(peer, message, self.clock())
        except ProtocolError as fault:
            return self.referee.refuse_nonsense(peer, fault)

    def _may_join(self, agent: int) -> bool:
        """Whether the sender of the last message may play an agent: under keys, only its own."""
        return self.door.sender in (None, f"actor-{agent}")

    def _lengths_for(self, peer: bytes) -> Lengths:
        """The axes that a peer's messages are checked against."""
        agent = self.referee.seats.agent_of(peer)
        return self._lengths_without_seat if agent is None else self.dims[agent].lengths

    def _send(self, sends: Iterable[tuple[bytes, Message]]) -> None:
        for peer, message in sends:
            self.door.send(peer, message)
