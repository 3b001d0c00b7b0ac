"""The actor's client of the environment server: takes its seat, receives timesteps, sends acts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import islice

from ssd_actors.retry import MAX_MESSAGES, Connection, RetryTimer
from ssd_wire.codec import Frame, decode, encode
from ssd_wire.dims import Dims
from ssd_wire.errors import ProtocolError, RefusedError, ReplacedError
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep


class EnvClient:
    """Joins an environment, yields new timesteps, and answers repeated ones with the same act.

    Args:
        connection: To the environment server.
        join: The request for a seat.
        lanes: Number of lanes in the run.
        dims: Of this agent's messages.
        clock: Returns seconds.

    Attributes:
        retries: Joins sent after a time without an answer, the first one included.
        protocol_errors: Messages received that were invalid.
    """

    def __init__(
        self,
        connection: Connection,
        join: Join,
        lanes: int,
        dims: Dims,
        clock: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._lanes = lanes
        self._join = encode(join)
        self._lengths = dims.lengths
        self._env_incarnation = 0  # where we have a seat; 0 for nowhere
        # By environment incarnation and lane: the last tick answered, and the act it was sent.
        self._answers: dict[tuple[int, int], tuple[int, list[Frame]]] = {}
        self._log = logging.getLogger(__name__)
        self._retry = RetryTimer(clock)
        self.retries = 0
        self.protocol_errors = 0

    def timesteps(self) -> Iterator[Timestep]:
        """The new timesteps that have arrived; repeats what had no answer.

        Raises:
            RefusedError: when the environment server refuses this actor for good.
        """
        for frames in islice(self._connection.receive(), MAX_MESSAGES):
            self._retry.keep_connection()
            try:
                message = decode(frames, (Seat, Timestep, Refused), self._lengths)
            except ProtocolError as fault:
                self.protocol_errors += 1
                self._log.warning("invalid message from the environment: %.300s", fault)
                continue
            if isinstance(message, Timestep) and message.env_incarnation != self._env_incarnation:
                continue  # its Seat was lost; only a Join brings another, so this is no answer
            self._retry.reset()
            match message:
                case Seat():
                    self._on_seat(message)
                case Refused():
                    self._on_refused(message)
                case Timestep() if self._has_lane(message) and self._is_new(message):
                    yield message
        self._retry_if_due()

    def send(self, act: Act) -> None:
        """Answer a timestep, and keep the answer in case it has to be repeated."""
        frames = encode(act)
        self._answers[act.env_incarnation, act.lane] = (act.tick, frames)
        self._connection.send(frames)

    def discard_messages(self) -> None:
        """Drop what has arrived; unread messages would end every wait at once."""
        for _ in islice(self._connection.receive(), MAX_MESSAGES):
            pass

    def _on_seat(self, seat: Seat) -> None:
        if seat.env_incarnation == self._env_incarnation:
            return
        self._log.info("joined environment %016x", seat.env_incarnation)
        self._env_incarnation = seat.env_incarnation
        self._answers = {
            key: answer for key, answer in self._answers.items() if key[0] == seat.env_incarnation
        }

    def _on_refused(self, refused: Refused) -> None:
        if refused.fatal:
            error = ReplacedError if refused.replaced else RefusedError
            raise error(f"the environment refused this actor: {refused.reason}")
        self._env_incarnation = 0
        self._connection.send(self._join)

    def _has_lane(self, timestep: Timestep) -> bool:
        if timestep.lane < self._lanes:
            return True
        self.protocol_errors += 1
        self._log.warning("wanted a lane below %d, found %d", self._lanes, timestep.lane)
        return False

    def _is_new(self, timestep: Timestep) -> bool:
        key = timestep.env_incarnation, timestep.lane
        tick, frames = self._answers.get(key, (-1, []))
        if timestep.tick == tick:  # the act was lost: send the same one, not another draw
            self._connection.send(frames)
        return timestep.tick > tick

    def _retry_if_due(self) -> None:
        if self._retry.should_reconnect():
            self._log.warning("no answer from the environment: opening a new connection")
            self._connection.reopen()
            self._retry.send_failed()
        elif self._retry.should_retry():
            self._send_join()

    def _send_join(self) -> None:
        """Join, seated or not: it is always answered, and unanswered timesteps come with it."""
        if self._connection.send(self._join):
            self.retries += 1
        else:
            self._retry.send_failed()
