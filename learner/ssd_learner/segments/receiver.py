"""Receives segments, deduplicates them, and tracks which are trained and durable. Sends nothing.

An epoch is one actor incarnation's numbering of its segments: 1, 2, … over all its lanes. Actors
deliver at least once. The learner accepts only the next number of each epoch, so every durable
segment was trained exactly once and in order, whatever was lost, repeated or resent on the way.

Whatever peers send, a learner knows a limited number of epochs, and keeps a limited number of
segments of each arena. It forgets the oldest retired epochs, and first those that sent nothing. If
the actor of a forgotten one said Hello again, its segments would be new ones. But a retired actor
is refused fatally, and so ends, when it sends its next message, long before that.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from ssd_learner.segments.epochs import Epoch, ForgottenEpochs, SegmentCounts, Watermark
from ssd_wire.messages import MAX_LANES, Ack, Bye, Hello, Refused, Segment

MAX_ARENAS = 1024
MAX_RETIRED = 1024  # epochs that are remembered after others have taken their place
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
        forgotten: From the same checkpoint.
        deterministic: Whether each batch must have the same segments in every run of a seed. Then
            this process takes those of one actor only, since batches of two differ, or never fill.
    """

    agent: int
    learner_incarnation: int
    fingerprint: str
    retained: int
    watermarks: Iterable[Watermark] = ()
    counts: SegmentCounts = field(default_factory=SegmentCounts)
    forgotten: ForgottenEpochs = field(default_factory=ForgottenEpochs)
    complete: bool = False
    deterministic: bool = False

    def __post_init__(self) -> None:
        self._queue: deque[_Received] = deque()
        self._in_training: list[_Received] = []
        self._epochs = {
            (mark.arena, mark.epoch): Epoch.from_watermark(mark) for mark in self.watermarks
        }
        self._by_peer: dict[bytes, Epoch] = {}
        self._first: Epoch | None = None  # whose actor said Hello to this process
        self._newest = {epoch.arena: epoch for epoch in self._epochs.values() if not epoch.retired}
        self._last_batch = set(self._newest)  # the arenas that it had segments of
        self._queued_of: Counter[int] = Counter()  # by arena
        # An actor keeps at most `retained` segments, and as many more as its lanes had begun. So
        # this is room for two actors, of which one took the other's place.
        self._max_queued = 2 * (self.retained + 2 * MAX_LANES)

    @property
    def epochs(self) -> list[Epoch]:
        """All epochs that are known, retired ones too."""
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
            if epoch.leaving or not epoch.retired
        )

    @property
    def all_leaving(self) -> bool:
        """Whether there are actors, and all of them wait to stop."""
        actors = [epoch for epoch in self._epochs.values() if epoch.peer and not epoch.retired]
        return bool(actors) and all(epoch.leaving for epoch in actors)

    def hello(self, peer: bytes, hello: Hello) -> Epoch | Refused:
        """Admit an actor: returns its epoch, and retires the arena's previous one."""
        if (refused := self._refusal_of(hello)) is not None:
            return refused
        epoch = self._epochs.get((hello.arena, hello.epoch))
        if epoch is None:
            if not self._has_room_for(hello.arena):
                return Refused(f"actors of {MAX_ARENAS} arenas have sent segments", fatal=True)
            epoch = self._begin(hello.arena, hello.epoch)
        self._bind(peer, epoch)
        self._first = self._first or epoch
        return epoch

    def _refusal_of(self, hello: Hello) -> Refused | None:
        """Why an actor is not admitted; None if it may be."""
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
        if self.deterministic and self._first is not None and self._first is not epoch:
            return _second_actor(self._first, hello)
        return None

    def _has_room_for(self, arena: int) -> bool:
        """Whether an arena is known or may be; an arena that sent nothing makes room for it."""
        if arena in self._newest or len(self._newest) < MAX_ARENAS:
            return True
        silent = next((one for one in self._newest.values() if not one.received), None)
        if silent is None:
            return False
        del self._newest[silent.arena]
        self._forget(silent)
        return True

    def _begin(self, arena: int, number: int) -> Epoch:
        """A new epoch, in place of the arena's previous one."""
        if arena in self._newest:
            self._newest[arena].retired = True
        self._newest[arena] = self._epochs[arena, number] = Epoch(arena, number)
        if len(self._epochs) - len(self._newest) >= 2 * MAX_RETIRED:  # seldom, as it takes time
            self._forget_oldest()
        return self._newest[arena]

    def _forget_oldest(self) -> None:
        """Forget all but the newest retired epochs, and first those that sent nothing."""
        retired = [epoch for epoch in self._epochs.values() if epoch.retired and epoch.is_settled]
        retired.sort(key=lambda epoch: epoch.received > 0)
        for epoch in retired[: max(0, len(retired) - MAX_RETIRED)]:
            self._forget(epoch)

    def _forget(self, epoch: Epoch) -> None:
        self.forgotten = self.forgotten.plus(epoch)
        del self._epochs[epoch.arena, epoch.number]
        if epoch.peer is not None:
            del self._by_peer[epoch.peer]

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
        if self._queued_of[epoch.arena] >= self._max_queued:
            reason = f"{self._max_queued} segments of this arena wait to be trained on"
            return Refused(reason, fatal=False)
        epoch.received += 1
        self.counts.received += 1
        self._queue.append(_Received(epoch, segment))
        self._queued_of[epoch.arena] += 1
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

    def must_train(self, own_steps_left: float) -> bool:
        """Whether to train on the queued segments, however few they are.

        That is when an actor that sent some of them is leaving, when they cover the budget, and
        when an arena's are so many that no more are accepted.

        Args:
            own_steps_left: Of the budget.
        """
        for received in self._queue:
            own_steps_left -= received.segment.reward.size
            if received.epoch.leaving or own_steps_left <= 0:
                return True
        return any(queued >= self._max_queued for queued in self._queued_of.values())

    def has_share(self, threshold: int) -> bool:
        """Whether an arena has sent its share of a batch.

        Args:
            threshold: Segments in a share.
        """
        return any(queued >= threshold for queued in self._queued_of.values())

    def awaits_arena(self, threshold: int) -> bool:
        """Whether an arena that takes part has not sent its whole share of a batch.

        Arenas take part that had segments in the last batch, or have sent some since; before a
        process's first batch, those that the checkpoint knows. Those whose actor is leaving do not.

        An actor and the one that took its place have one share together. So the shares of all
        agents of an arena are complete at about the same step of its games.

        Args:
            threshold: Segments in a share.
        """
        leaving = {arena for arena, epoch in self._newest.items() if epoch.leaving}
        taking_part = (self._last_batch | set(self._queued_of)) - leaving
        return any(self._queued_of[arena] < threshold for arena in taking_part)

    def take(self, limit: int) -> list[Segment]:
        """The oldest queued segments, at most `limit`, to be trained on now."""
        self._in_training = [self._pop() for _ in range(min(limit, len(self._queue)))]
        self._last_batch = {received.epoch.arena for received in self._in_training}
        return [received.segment for received in self._in_training]

    def mark_trained(self) -> None:
        """Record that the segments of the last `take` have been trained on."""
        for received in self._in_training:
            received.epoch.consumed += 1
            self.counts.trained += 1
        self._in_training = []

    def _pop(self) -> _Received:
        """The oldest queued segment."""
        received = self._queue.popleft()
        arena = received.epoch.arena
        self._queued_of[arena] -= 1
        if not self._queued_of[arena]:
            del self._queued_of[arena]
        return received

    def _discard_queue(self) -> None:
        """Count all queued segments as surplus."""
        while self._queue:
            epoch = self._pop().epoch
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
            "forgotten": asdict(self.forgotten),
            "epochs": [
                {
                    "arena": epoch.arena,
                    "epoch": epoch.number,
                    "received": epoch.received,
                    "trained": epoch.trained,
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


def _second_actor(first: Epoch, second: Hello) -> Refused:
    reason = (
        "a deterministic run has one arena, and cannot go on with another actor: wanted epoch"
        f" {first.number:016x} of arena {first.arena},"
        f" found {second.epoch:016x} of arena {second.arena}"
    )
    return Refused(reason, fatal=True)
