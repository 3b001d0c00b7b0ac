"""A receiver of tiny segments, and the messages of its actors."""

import numpy as np

from ssd_learner.segments.receiver import SegmentReceiver
from ssd_wire.messages import Hello, Segment

FINGERPRINT = "this run"
RETAINED = 10


def make_receiver(watermarks=()):
    return SegmentReceiver(1, 99, FINGERPRINT, RETAINED, watermarks)


def peer(epoch):
    return f"actor {epoch}".encode()


def hello(receiver, epoch=7, arena=0, agent=1, fingerprint=FINGERPRINT):
    return receiver.hello(peer(epoch), Hello(agent, arena, epoch, fingerprint))


def segment(epoch, seq):
    def zeros(dtype, *shape):
        return np.zeros(shape, dtype)

    return Segment(
        epoch=epoch,
        seq=seq,
        lane=0,
        learner_incarnation=99,
        weights_version=0,
        pixels=zeros(np.uint8, 2, 1, 3, 3),
        is_first=zeros(np.bool_, 2, 1),
        visible=zeros(np.bool_, 2, 1, 2),
        actions=zeros(np.uint8, 3, 1, 2),
        log_prob=zeros(np.float32, 1, 1),
        reward=zeros(np.float32, 1, 1),
        influence=zeros(np.float32, 1, 1),
        state=zeros(np.float32, 1, 4),
    )


def send(receiver, seq, epoch=7):
    return receiver.segment(peer(epoch), segment(epoch, seq))


def progress(epoch):
    return (epoch.received, epoch.consumed, epoch.durable)


def train(receiver, limit=100):
    """Take queued segments and mark them trained; their epochs and numbers."""
    taken = receiver.take(limit)
    receiver.mark_trained()
    return [(one.epoch, one.seq) for one in taken]


def checkpoint(receiver):
    """Make a checkpoint; returns the receiver that a next learner starts with."""
    watermarks = tuple(epoch.watermark() for epoch in receiver.epochs)
    receiver.mark_durable(watermarks)
    counts = receiver.consumed_counts()
    remembered = watermarks, counts, receiver.forgotten
    return SegmentReceiver(1, 100, FINGERPRINT, RETAINED, *remembered)


def assert_adds_up(receiver):
    counts = receiver.counts
    assert counts.received == counts.trained + counts.surplus + receiver.queued
    assert counts.received == sum(epoch.received for epoch in receiver.epochs)
    assert counts.surplus == sum(epoch.surplus for epoch in receiver.epochs)
