"""The actor's end of the line to the world: its seat, and the timesteps that come to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from ssd_actors.retry import Line, RetryTimer
from ssd_wire.codec import Frame, Sizes, decode, encode
from ssd_wire.errors import ProtocolError, RefusedError
from ssd_wire.messages import Act, Join, Refused, Seat, Timestep


class EnvClient:
    """Joins a world, passes on new timesteps, answers repeated ones with the stored act.

    Args:
        line: To the world.
        join: Who asks for a seat.
        lanes: How many the run has.
        sizes: Lengths of the run's axes, to check timesteps by.
        now: A clock in seconds.

    Attributes:
        repeats: Joins after silence, the first one included.
        protocol_errors: Messages that were none.
    """

    def __init__(
        self, line: Line, join: Join, lanes: int, sizes: Sizes, now: Callable[[], float]
    ) -> None:
        self._line = line
        self._lanes = lanes
        self._join = encode(join)
        self._sizes = sizes
        self._world = 0  # the incarnation of the world we are seated in, 0 for none
        # By world and lane: the last tick, and our act.
        self._answers: dict[tuple[int, int], tuple[int, list[Frame]]] = {}
        self._log = logging.getLogger(__name__)
        self._silence = RetryTimer(now)
        self.repeats = 0
        self.protocol_errors = 0

    def timesteps(self) -> Iterator[Timestep]:
        """All new timesteps that are there.

        Raises:
            RefusedError: when the world will not have us.
        """
        for frames in self._line.receive():
            self._silence.broken()
            try:
                message = decode(frames, (Seat, Timestep, Refused), self._sizes)
            except ProtocolError as fault:
                self.protocol_errors += 1
                self._log.warning("the world sent what is no message of this run: %s", fault)
                continue
            match message:
                case Seat():
                    self._sit_down(message)
                case Refused():
                    self._refused(message)
                case Timestep() if self._is_ours(message) and self._is_new(message):
                    yield message
        if self._silence.is_in_vain():
            self._log.warning("the world does not answer: connecting anew")
            self._line.reopen()
            self._silence.unsent()
        elif self._silence.is_long():
            self._ask_again()

    def act(self, act: Act) -> None:
        """Answer a timestep."""
        frames = encode(act)
        self._answers[act.env_incarnation, act.lane] = (act.tick, frames)
        self._line.send(frames)

    def _sit_down(self, seat: Seat) -> None:
        if seat.env_incarnation != self._world:
            self._log.info("seated in world %016x", seat.env_incarnation)
            self._world = seat.env_incarnation
            self._answers = {
                of: a for of, a in self._answers.items() if of[0] == seat.env_incarnation
            }

    def _refused(self, refused: Refused) -> None:
        if refused.fatal:
            raise RefusedError(f"the world refused this actor: {refused.reason}")
        self._world = 0
        self._line.send(self._join)

    def _is_ours(self, seen: Timestep) -> bool:
        if seen.lane >= self._lanes:
            self.protocol_errors += 1
            self._log.warning("wanted a lane below %d, found %d", self._lanes, seen.lane)
        return seen.env_incarnation == self._world and seen.lane < self._lanes

    def _is_new(self, seen: Timestep) -> bool:
        tick, act = self._answers.get((seen.env_incarnation, seen.lane), (-1, []))
        if seen.tick == tick:  # our act was lost: no second draw, the same act again
            self._line.send(act)
        return seen.tick > tick

    def _ask_again(self) -> None:
        """Join, seated or not: it is always answered, and with it comes what awaits an act."""
        if self._line.send(self._join):
            self.repeats += 1
        else:
            self._silence.unsent()
