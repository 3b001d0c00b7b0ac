"""Receives segments, deduplicates them, and tracks which are trained and durable. Sends nothing.

An epoch is one actor incarnation's numbering of its segments: 1, 2, … over all its lanes. Actors
deliver at least once. The learner accepts only the next number of each epoch, so every durable
segment was trained exactly once and in order, whatever was lost, repeated or resent on the way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from ssd_learner.segments.epochs import Epoch, SegmentCounts, Watermark
from ssd_wire.messages import Ack, Bye, Hello, Refused, Segment

UNKNOWN_EPOCH = Refused("unknown epoch: send Hello first", fatal=False)


@dataclass(frozen=True, eq=False)
class _Received:
    epoch: Epoch
    segment: Segment


@dataclass
class SegmentReceiver:
    """The learner's side of exactly-once training.

    Args:
        agent: Whose segments these are.
        learner_incarnation: A random number of this process.
        fingerprint: Of the run.
        retained: Segments that an actor keeps until they are durable.
        watermarks: From the checkpoint that this learner starts from.
        counts: From the same checkpoint.
    """

    agent: int
    learner_incarnation: int
    fingerprint: str
    retained: int
    watermarks: Iterable[Watermark] = ()
    counts: SegmentCounts = field(default_factory=SegmentCounts)
    complete: bool = False

    def __post_init__(self) -> None:
        self._queue: deque[_Received] = deque()
        self._in_training: list[_Received] = []
        self._epochs = {
            (mark.arena, mark.epoch): Epoch.from_watermark(mark) for mark in self.watermarks
        }
        self._by_peer: dict[bytes, Epoch] = {}

    @property
    def epochs(self) -> list[Epoch]:
        """All epochs ever seen, retired ones too."""
        return list(self._epochs.values())

    @property
    def queued(self) -> int:
        """Segments received and not yet taken for training."""
        return len(self._queue)

    @property
    def has_uncommitted(self) -> bool:
        """Whether a checkpoint would make any segment durable."""
        return any(epoch.consumed > epoch.durable for epoch in self._epochs.values())

    @property
    def needs_checkpoint(self) -> bool:
        """Whether an actor needs durability soon: it is leaving, or its storage is half full."""
        return any(
            epoch.consumed > epoch.durable
            and (epoch.leaving or 2 * (epoch.received - epoch.durable) >= self.retained)
            for epoch in self._epochs.values()
            if not epoch.retired
        )

    @property
    def all_leaving(self) -> bool:
        """Whether there are actors, and all of them wait to stop."""
        actors = [epoch for epoch in self._epochs.values() if epoch.peer and not epoch.retired]
        return bool(actors) and all(epoch.leaving for epoch in actors)

    def hello(self, peer: bytes, hello: Hello) -> Epoch | Refused:
        """Admit an actor: returns its epoch, and retires the arena's previous one."""
        if hello.fingerprint != self.fingerprint:
            return Refused(
                f"another run: the learner's fingerprint is {self.fingerprint}, "
                f"the actor's {hello.fingerprint:.80}",
                fatal=True,
            )
        if hello.agent != self.agent:
            return Refused(f"wanted agent {self.agent}, found {hello.agent}", fatal=True)
        epoch = self._epochs.get((hello.arena, hello.epoch))
        if epoch is not None and epoch.retired:
            return _seat_taken(hello.arena)
        if epoch is None:
            for previous in self._epochs.values():
                previous.retired |= previous.arena == hello.arena
            epoch = Epoch(hello.arena, hello.epoch)
            self._epochs[hello.arena, hello.epoch] = epoch
        self._bind(peer, epoch)
        return epoch

    def _bind(self, peer: bytes, epoch: Epoch) -> None:
        """Answer an epoch over this connection from now on, and over no other."""
        if epoch.peer is not None:
            del self._by_peer[epoch.peer]
        if peer in self._by_peer:  # until now another epoch's connection
            self._by_peer[peer].peer = None
        epoch.peer = peer
        self._by_peer[peer] = epoch

    def segment(self, peer: bytes, segment: Segment) -> Epoch | Refused:
        """Accept the next segment of an epoch; count a duplicate, and refuse any other."""
        epoch = self._by_peer.get(peer)
        if epoch is None or epoch.number != segment.epoch:
            return UNKNOWN_EPOCH
        if epoch.retired:
            return _seat_taken(epoch.arena)
        if segment.seq > epoch.received + 1:
            reason = f"wanted segment {epoch.received + 1}, found {segment.seq}: say Hello"
            return Refused(reason, fatal=False)
        if segment.seq <= epoch.received:
            self.counts.duplicate += 1
            return epoch
        epoch.received += 1
        self.counts.received += 1
        self._queue.append(_Received(epoch, segment))
        if self.complete:
            self._discard_queue()
        return epoch

    def bye(self, peer: bytes, bye: Bye) -> Epoch | Refused:
        """Note that an actor is leaving and waits for its segments to become durable."""
        epoch = self._by_peer.get(peer)
        if epoch is None or epoch.number != bye.epoch:
            return UNKNOWN_EPOCH
        epoch.leaving = True
        return epoch

    def has_batch(self, threshold: int, own_steps_left: float) -> bool:
        """Whether one actor has sent its share of a batch, or will send no more segments.

        Args:
            threshold: Segments in one actor's share.
            own_steps_left: Of the budget. Segments that cover these make a batch, however few.
        """
        queued: Counter[int] = Counter()
        for received in self._queue:
            queued[received.epoch.number] += 1
            own_steps_left -= received.segment.reward.size
        return bool(self._queue) and (
            own_steps_left <= 0
            or any(
                queued[epoch.number] >= (1 if epoch.leaving else threshold)
                for epoch in self._epochs.values()
            )
        )

    def take(self, limit: int) -> list[Segment]:
        """The oldest queued segments, at most `limit`, to be trained on now."""
        self._in_training = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        return [received.segment for received in self._in_training]

    def mark_trained(self) -> None:
        """Record that the segments of the last `take` have been trained on."""
        for received in self._in_training:
            received.epoch.consumed += 1
            self.counts.trained += 1
        self._in_training = []

    def _discard_queue(self) -> None:
        """Count all queued segments as surplus."""
        while self._queue:
            epoch = self._queue.popleft().epoch
            epoch.consumed += 1
            epoch.surplus += 1
            self.counts.surplus += 1

    def mark_complete(self) -> None:
        """The budget is reached: from now on acknowledge segments without training on them."""
        self.complete = True
        self._discard_queue()

    def consumed_counts(self) -> SegmentCounts:
        """The counts for a checkpoint. Queued segments are not in it, as they will be resent."""
        return replace(self.counts, received=self.counts.trained + self.counts.surplus)

    def mark_durable(self, watermarks: Iterable[Watermark]) -> None:
        """Record that a checkpoint with these watermarks is on disk."""
        for mark in watermarks:
            self._epochs[mark.arena, mark.epoch].durable = mark.consumed

    def ack(self, epoch: Epoch, newest_version: int) -> Ack:
        """The acknowledgement of an epoch's segments.

        Args:
            epoch: Whose.
            newest_version: Of the weights.
        """
        return Ack(
            epoch=epoch.number,
            learner_incarnation=self.learner_incarnation,
            received=epoch.received,
            trained=epoch.consumed,
            durable=epoch.durable,
            newest_version=newest_version,
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
                    "trained": epoch.consumed - epoch.surplus - epoch.given_up,
                    "durable": epoch.durable,
                    "surplus": epoch.surplus,
                    "given_up": epoch.given_up,
                    "retired": epoch.retired,
                }
                for epoch in self._epochs.values()
            ],
        }


def _seat_taken(arena: int) -> Refused:
    reason = f"a newer actor plays this agent in arena {arena}"
    return Refused(reason, fatal=True, replaced=True)
