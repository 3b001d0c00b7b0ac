"""How far each epoch has come. An epoch is one actor incarnation's numbering of its segments."""

from __future__ import annotations

from dataclasses import dataclass

from ssd_wire.messages import Ack


@dataclass(frozen=True)
class Watermark:
    """An epoch's progress in a checkpoint: segments 1 … consumed are trained, surplus or given up.

    Attributes:
        arena: the actor's arena.
        epoch: the actor incarnation's number.
        consumed: trained, surplus and given-up segments together.
        surplus: segments that arrived after the budget was reached and were not trained.
        retired: whether a newer actor has taken over the arena's seat.
        given_up: segments whose training was lost with a damaged checkpoint.
    """

    arena: int
    epoch: int
    consumed: int
    surplus: int
    retired: bool
    given_up: int = 0


@dataclass(frozen=True)
class ForgottenEpochs:
    """Totals of retired epochs that are no longer listed: there were too many.

    Attributes:
        epochs: how many there were.
        trained, surplus, given_up: their segments, all of them durable.
    """

    epochs: int = 0
    trained: int = 0
    surplus: int = 0
    given_up: int = 0

    def plus(self, epoch: Epoch) -> ForgottenEpochs:
        """With one epoch more."""
        return ForgottenEpochs(
            self.epochs + 1,
            self.trained + epoch.trained,
            self.surplus + epoch.surplus,
            self.given_up + epoch.given_up,
        )


@dataclass
class SegmentCounts:
    """Segments of all epochs, by what became of them."""

    received: int = 0
    trained: int = 0
    surplus: int = 0
    duplicate: int = 0
    given_up: int = 0


@dataclass
class Epoch:
    """One actor incarnation, as the learner knows it.

    Attributes:
        peer: the connection of its latest Hello to this learner.
        received, consumed, durable, surplus, given_up: segments.
        leaving: whether it said Bye and waits for its segments to become durable.
        last_ack: the newest one sent to it.
    """

    arena: int
    number: int
    peer: bytes | None = None
    received: int = 0
    consumed: int = 0
    durable: int = 0
    surplus: int = 0
    given_up: int = 0
    retired: bool = False
    leaving: bool = False
    last_ack: Ack | None = None

    @property
    def trained(self) -> int:
        """Segments that were trained on."""
        return self.consumed - self.surplus - self.given_up

    @property
    def is_settled(self) -> bool:
        """Whether all that was received of it is durable."""
        return self.received == self.durable

    @classmethod
    def from_watermark(cls, mark: Watermark) -> Epoch:
        """The epoch as a checkpoint recorded it; its actor has not said Hello again yet."""
        return cls(
            arena=mark.arena,
            number=mark.epoch,
            received=mark.consumed,
            consumed=mark.consumed,
            durable=mark.consumed,
            surplus=mark.surplus,
            given_up=mark.given_up,
            retired=mark.retired,
        )

    def watermark(self) -> Watermark:
        """Its progress, for a checkpoint."""
        return Watermark(
            self.arena, self.number, self.consumed, self.surplus, self.retired, self.given_up
        )
