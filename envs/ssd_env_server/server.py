"""The environment server's loop. Start here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from ssd_env_server.coordinator import Coordinator, Sends
from ssd_env_server.episode_statistics import EpisodeStatistics
from ssd_env_server.episodes import EpisodeLog
from ssd_env_server.lane_games import LaneGames
from ssd_wire.codec import Lengths, decode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError
from ssd_wire.messages import Act, Join, Message, Refused

MAX_MESSAGES = 256  # per round of the loop, so that a flood of messages cannot delay resends


class ServerSocket(Protocol):
    """The socket to the actors: a ZeroMQ router, or lists in tests."""

    dropped: int
    sender: str | None  # identity behind the last message, by its key; None without keys

    def send(self, peer: bytes, message: Message) -> bool:
        """Send a copy without waiting; false when it was dropped."""

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        """All messages that have arrived: the connection and the frames of each."""


class StopRequest(Protocol):
    """Whether this process was asked to stop."""

    requested: bool


class Poller(Protocol):
    """Waits for messages."""

    def wait(self, seconds: float) -> object:
        """Return when a message arrived, when asked to stop, or when the time is over."""


@dataclass
class EnvServer:
    """All that the loop touches.

    Args:
        socket: To the actors.
        coordinator: Decides which messages to send.
        lane_games: The games of each lane, in the order of the coordinator's lanes.
        episode_log: Where finished episodes are recorded.
        statistics: Of finished episodes, for the metrics.
        dims: [N] the dims of each agent's messages.
        clock: Returns seconds.
    """

    socket: ServerSocket
    coordinator: Coordinator
    lane_games: Sequence[LaneGames]
    episode_log: EpisodeLog
    statistics: EpisodeStatistics
    dims: Sequence[Dims]
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        # An Act of a peer without a seat may have the optional arrays of another run or role. It is
        # answered with "join again", so they are not checked.
        lengths = self.dims[0].lengths
        self._lengths_without_seat: Lengths = {axis: lengths[axis] for axis in "ABN"}

    def serve(self, stop: StopRequest, poller: Poller) -> None:
        """Step the games as actors act, until asked to stop. Start reading here."""
        while not stop.requested:
            for peer, frames in islice(self.socket.receive(), MAX_MESSAGES):
                self._send(self._handle(peer, frames))
                self._step_lanes()

            self._step_lanes()  # parked ones are due even if no message arrives
            # Timesteps that were lost, or that a dead actor received, are sent again.
            self._send(self.coordinator.resends(self.clock()))
            poller.wait(self.coordinator.seconds_until_due(self.clock()))

    @property
    def ticks(self) -> int:
        """Steps of whole lanes so far."""
        return sum(games.tick for games in self.lane_games)

    def _step_lanes(self) -> None:
        """Step the games of each lane in which all agents have acted."""
        for lane, games in zip(self.coordinator.lanes, self.lane_games, strict=True):
            if self.coordinator.can_step(lane, self.clock()):
                episodes = games.step(lane.actions)
                self.episode_log.write(episodes)
                self.statistics.add(episodes)
                self._send(self.coordinator.advance(lane, games.timesteps(), self.clock()))

    def _handle(self, peer: bytes, frames: list[bytes]) -> Sends:
        try:
            message = decode(frames, (Act, Join, Refused), self._lengths_for(peer))
            if isinstance(message, Join) and not self._may_join(message.agent):
                reason = f"its key is that of {self.socket.sender}, not of actor-{message.agent}"
                return self.coordinator.refuse(peer, reason)
            return self.coordinator.handle(peer, message, self.clock())
        except ProtocolError as fault:
            return self.coordinator.refuse_invalid(peer, fault)

    def _may_join(self, agent: int) -> bool:
        """Whether the sender of the last message may play this agent. With keys, only its own."""
        return self.socket.sender in (None, f"actor-{agent}")

    def _lengths_for(self, peer: bytes) -> Lengths:
        """The axes that a peer's messages are checked against."""
        agent = self.coordinator.seats.agent_of(peer)
        return self._lengths_without_seat if agent is None else self.dims[agent].lengths

    def _send(self, sends: Iterable[tuple[bytes, Message]]) -> None:
        for peer, message in sends:
            self.socket.send(peer, message)
