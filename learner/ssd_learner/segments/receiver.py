"""What the learner has received, trained and made durable, epoch by epoch. Decides; sends nothing.

An epoch is one actor incarnation's numbering of its segments: 1, 2, … over all its lanes. The
learner takes only the next number of an epoch, so every durable segment was trained exactly once
and in order, whatever was lost, repeated or resent on the way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from ssd_wire.messages import Ack, Bye, Hello, Refused, Segment


@dataclass(frozen=True)
class Watermark:
    """How far one epoch has come: segments 1 … handled are trained, surplus, or given up.

    Attributes:
        arena: the actor's arena.
        epoch: the actor incarnation's number.
        handled: trained, surplus and given-up segments, together.
        surplus: those that came when the budget was met, and were not trained.
        retired: whether a newer actor has taken the arena's seat.
        given_up: those whose training was lost with a damaged checkpoint.
    """

    arena: int
    epoch: int
    handled: int
    surplus: int
    retired: bool
    given_up: int = 0


@dataclass
class Counts:
    """Segments of all epochs, by what became of them."""

    received: int = 0
    trained: int = 0
    surplus: int = 0
    duplicate: int = 0
    given_up: int = 0


@dataclass
class Epoch:
    """One actor incarnation, as the learner knows it."""

    arena: int
    number: int
    peer: bytes | None = None  # the connection over which it said Hello to this learner last
    received: int = 0
    handled: int = 0
    durable: int = 0
    surplus: int = 0
    given_up: int = 0
    retired: bool = False
    leaving: bool = False  # it said Bye, and waits for everything to be durable

    def watermark(self) -> Watermark:
        """What a checkpoint remembers of it."""
        return Watermark(
            self.arena, self.number, self.handled, self.surplus, self.retired, self.given_up
        )


@dataclass(frozen=True, eq=False)
class _Arrived:
    epoch: Epoch
    segment: Segment


@dataclass
class Intake:
    """The learner's side of the promise about segments.

    Args:
        agent: Whose segments these are.
        learner: This learner's incarnation.
        fingerprint: Of the run.
        retained: Segments an actor keeps until they are durable.
        watermarks: From the checkpoint this learner starts with.
        counts: From the same.
    """

    agent: int
    learner: int
    fingerprint: str
    retained: int
    watermarks: Iterable[Watermark] = ()
    counts: Counts = field(default_factory=Counts)
    complete: bool = False

    def __post_init__(self) -> None:
        self._queue: deque[_Arrived] = deque()
        self._in_training: list[_Arrived] = []
        self._epochs = {
            (mark.arena, mark.epoch): Epoch(
                arena=mark.arena,
                number=mark.epoch,
                received=mark.handled,
                handled=mark.handled,
                durable=mark.handled,
                surplus=mark.surplus,
                given_up=mark.given_up,
                retired=mark.retired,
            )
            for mark in self.watermarks
        }
        self._by_peer: dict[bytes, Epoch] = {}

    @property
    def epochs(self) -> list[Epoch]:
        """All epochs ever seen, retired ones too."""
        return list(self._epochs.values())

    @property
    def waiting(self) -> int:
        """Segments received and not yet taken."""
        return len(self._queue)

    @property
    def has_news(self) -> bool:
        """Whether a checkpoint would make anything durable."""
        return any(epoch.handled > epoch.durable for epoch in self._epochs.values())

    @property
    def wants_checkpoint(self) -> bool:
        """Whether somebody needs durability soon: one who is leaving, or whose room runs out."""
        return any(
            epoch.handled > epoch.durable
            and (epoch.leaving or 2 * (epoch.received - epoch.durable) >= self.retained)
            for epoch in self._epochs.values()
            if not epoch.retired
        )

    def hello(self, peer: bytes, hello: Hello) -> Epoch | Refused:
        """Let an actor in: its epoch, as far as it has come; the arena's former one is retired."""
        if hello.fingerprint != self.fingerprint:
            return Refused(
                f"another run: the learner's fingerprint is {self.fingerprint}, "
                f"the actor's {hello.fingerprint:.80}",
                fatal=True,
            )
        if hello.agent != self.agent:
            return Refused(f"I train agent {self.agent}, not agent {hello.agent}", fatal=True)
        epoch = self._epochs.get((hello.arena, hello.epoch))
        if epoch is not None and epoch.retired:
            return Refused(f"a newer actor has the seat in arena {hello.arena}", fatal=True)
        if epoch is None:
            for former in self._epochs.values():
                former.retired |= former.arena == hello.arena
            epoch = Epoch(hello.arena, hello.epoch)
            self._epochs[hello.arena, hello.epoch] = epoch
        self._bind(peer, epoch)
        return epoch

    def _bind(self, peer: bytes, epoch: Epoch) -> None:
        """Answer an epoch over this connection from now on, and over no other."""
        if epoch.peer is not None:
            del self._by_peer[epoch.peer]
        if peer in self._by_peer:  # somebody else until now
            self._by_peer[peer].peer = None
        epoch.peer = peer
        self._by_peer[peer] = epoch

    def segment(self, peer: bytes, segment: Segment) -> Epoch | Refused:
        """Take the next segment of an epoch; answer to all others as the protocol says."""
        epoch = self._by_peer.get(peer)
        if epoch is None or epoch.number != segment.epoch:
            return Refused("I do not know this epoch: say Hello", fatal=False)
        if epoch.retired:
            return Refused(f"a newer actor has the seat in arena {epoch.arena}", fatal=True)
        if segment.seq > epoch.received + 1:
            reason = f"wanted segment {epoch.received + 1}, found {segment.seq}: say Hello"
            return Refused(reason, fatal=False)
        if segment.seq <= epoch.received:
            self.counts.duplicate += 1
            return epoch
        epoch.received += 1
        self.counts.received += 1
        self._queue.append(_Arrived(epoch, segment))
        if self.complete:
            self.dismiss()
        return epoch

    def bye(self, peer: bytes, bye: Bye) -> Epoch | Refused:
        """Note that an actor leaves and waits for its segments to be durable."""
        epoch = self._by_peer.get(peer)
        if epoch is None or epoch.number != bye.epoch:
            return Refused("I do not know this epoch: say Hello", fatal=False)
        epoch.leaving = True
        return epoch

    def has_batch(self, fill: int, own_steps: float) -> bool:
        """Whether any actor has sent its share of a batch, or will send no more.

        Args:
            fill: Segments that one actor's share has.
            own_steps: That are left to be trained; as many make a batch, however few they are.
        """
        waiting: Counter[int] = Counter()
        for arrived in self._queue:
            waiting[arrived.epoch.number] += 1
            own_steps -= arrived.segment.reward.size
        return bool(self._queue) and (
            own_steps <= 0
            or any(
                waiting[epoch.number] >= (1 if epoch.leaving else fill)
                for epoch in self._epochs.values()
            )
        )

    def take(self, most: int) -> list[Segment]:
        """The oldest segments received, at most this many, to be trained on now."""
        self._in_training = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        return [arrived.segment for arrived in self._in_training]

    def trained(self) -> None:
        """Note that what was taken has been trained on."""
        for arrived in self._in_training:
            arrived.epoch.handled += 1
            self.counts.trained += 1
        self._in_training = []

    def dismiss(self) -> None:
        """Count all that waits as surplus: the budget is met, and nothing more is trained."""
        while self._queue:
            epoch = self._queue.popleft().epoch
            epoch.handled += 1
            epoch.surplus += 1
            self.counts.surplus += 1

    def finish(self) -> None:
        """The budget is met: from now on acknowledge, and train no more."""
        self.complete = True
        self.dismiss()

    def handled_counts(self) -> Counts:
        """The counts as a checkpoint must remember them: what only waits will be sent again."""
        return replace(self.counts, received=self.counts.trained + self.counts.surplus)

    def made_durable(self, watermarks: Iterable[Watermark]) -> None:
        """Note that a checkpoint with these watermarks is on disk."""
        for mark in watermarks:
            self._epochs[mark.arena, mark.epoch].durable = mark.handled

    def ack(self, epoch: Epoch, newest: int) -> Ack:
        """What to tell an actor about its epoch.

        Args:
            epoch: Its.
            newest: Version of the newest weights.
        """
        return Ack(
            epoch=epoch.number,
            learner_incarnation=self.learner,
            received=epoch.received,
            trained=epoch.handled,
            durable=epoch.durable,
            newest_version=newest,
            complete=self.complete,
        )

    def ledger(self) -> dict[str, object]:
        """The account of all segments, for the run's records."""
        return {
            "complete": self.complete,
            "segments": asdict(self.counts),
            "epochs": [
                {
                    "arena": epoch.arena,
                    "epoch": epoch.number,
                    "received": epoch.received,
                    "trained": epoch.handled - epoch.surplus - epoch.given_up,
                    "durable": epoch.durable,
                    "surplus": epoch.surplus,
                    "given_up": epoch.given_up,
                    "retired": epoch.retired,
                }
                for epoch in self._epochs.values()
            ],
        }
