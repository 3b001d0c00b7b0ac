"""The learner: whatever arrives, it answers or refuses, and its account of segments adds up."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from tests.fuzz.target import Reader, Target, joined
from tests.learner.recording_trainer import (
    AGENT,
    DIMS,
    FINGERPRINT,
    RecordingTrainer,
    numbered_segment,
)

from ssd_learner.checkpoints.checkpointer import Checkpointer
from ssd_learner.learner import Learner
from ssd_learner.reporting.report import Report
from ssd_learner.segments.receiver import MAX_ARENAS, MAX_RETIRED, SegmentReceiver
from ssd_wire.codec import decode, encode
from ssd_wire.messages import Ack, Act, Bye, Hello, Message, Refused, Segment, Welcome

RETAINED = 2
REPLIES = (Welcome, Ack, Refused)


class NoLinks:
    """Delivers what an input says; takes all that is sent."""

    def __init__(self) -> None:
        self.arrived: list[tuple[bytes, list[bytes]]] = []

    def wait(self, _seconds: float) -> bool:
        return True

    def receive(self) -> Iterator[tuple[bytes, list[bytes]]]:
        return iter(self.arrived)

    def send(self, _peer: bytes, message: Message) -> bool:
        decode([bytes(frame) for frame in encode(message)], REPLIES, {})
        return True

    def publish(self, _frame: bytes) -> None:
        pass


class NoDisk(Checkpointer):
    """Makes durable at once what was trained on."""

    def save(self, _trainer: Any, receiver: SegmentReceiver) -> None:
        """Write nothing."""
        receiver.mark_durable(epoch.watermark() for epoch in receiver.epochs)


def train(trainer: Any, segments: Sequence[Segment], _poll: Callable[[], bool]) -> Report:
    """Train on nothing, and count it."""
    trainer.train_on(segments)
    trainer.trained = ()
    trainer.own_steps += len(segments)
    trainer.version += 1
    return Report()


@cache
def learner() -> Learner:
    """The same one for all inputs: it is used as long as a real one."""
    made = Learner(
        NoLinks(),
        RecordingTrainer("ppo"),
        SegmentReceiver(AGENT, 1, FINGERPRINT, RETAINED),
        NoDisk(Path("unused"), None, interval=5.0, keep=1, now=lambda: 0.0),
        DIMS,
        window=1,
        batch_threshold=2,
        wait_for_arenas=True,
        now=partial(next, count()),
        train=train,
    )
    made.publish_weights()
    return made


def read_message(reader: Reader, peer: bytes) -> list[bytes]:
    """Frames from an input: as they are, or those of a message that is made of a few bytes."""
    epoch = learner().receiver._by_peer.get(peer)
    number, received = (epoch.number, epoch.received) if epoch else (reader.natural(), 0)
    match reader.number() % 8:
        case 0:
            return reader.frames()
        case 1:
            fingerprint = FINGERPRINT if reader.number() % 8 else "another"
            agent = AGENT if reader.number() % 8 else 2
            ids = reader.natural(), reader.natural()
            message: Message = Hello(agent, *ids, fingerprint, *ids)
        case 2:
            message = Bye(number if reader.number() % 4 else reader.natural())
        case 3:
            message = Act(1, 0, 0, False, np.zeros(1, np.uint8))
        case 4:
            message = numbered_segment(1).build(number, reader.natural(), reader.number() % 64)
        case _:
            seq = max(0, received + reader.number() % 4 - 1)
            message = numbered_segment(1).build(number, seq, 0)
    return [bytes(frame) for frame in encode(message)]


def run_learner(data: bytes) -> None:
    reader, under_test = Reader(data), learner()
    receiver = under_test.receiver
    while reader:
        peer = reader.piece(1)
        under_test.links.arrived = [(peer, read_message(reader, peer))]
        under_test.handle_messages()
        if under_test.has_batch():
            under_test.train_batch()
        if under_test.checkpointer.is_due(receiver):
            under_test.save_checkpoint()
    counts, forgotten = receiver.counts, receiver.forgotten
    assert counts.received == counts.trained + counts.surplus + receiver.queued
    assert counts.trained == forgotten.trained + sum(epoch.trained for epoch in receiver.epochs)
    assert len(receiver.epochs) <= MAX_ARENAS + 2 * MAX_RETIRED
    assert len(receiver._by_peer) <= len(receiver.epochs)


def seeds() -> Iterator[bytes]:
    hello, segment = bytes([7, 9, 1, 1, 1, 3, 9]), bytes([7, 5, 2])
    yield hello + segment * 4 + bytes([7, 2, 1])
    for message in (Hello(AGENT, 0, 7, FINGERPRINT), Bye(7), numbered_segment(1).build(7, 1, 0)):
        yield hello + bytes([7, 0]) + joined(encode(message))


TARGETS = (Target("learner", run_learner, seeds),)
