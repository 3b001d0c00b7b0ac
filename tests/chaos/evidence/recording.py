"""Records what is made and what is trained, as evidence for `tests.chaos.evidence.exactly_once`.

The fork server of a recorded run loads this module, which loads the ordinary one. Every actor then
writes a line for each segment that it makes, and for each time that it learns that segments are
durable; every learner writes a line for each batch that it has trained. A line is in the file
before the process goes on, so it is there even if the process is killed at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgpack

import ssd_actors.cli
import ssd_learner.build
from ssd_actors.outbox import Outbox
from ssd_learner.learner import Learner
from ssd_learner.reporting.report import Report
from ssd_learner.trainer import Trainer
from ssd_learner.training import train
from ssd_run.processes import preload as ordinary
from ssd_wire.codec import Frame, encode
from ssd_wire.messages import Segment

RECORDS = "CHAOS_RECORDS"  # environment variable: the folder of the records


def preload(run_file: Path) -> None:
    """Load what the processes of a run need, and make them record."""
    ordinary.preload(run_file)
    ssd_learner.build.Learner = partial(Learner, train=recorded_train)
    ssd_actors.cli.Outbox = RecordedOutbox


def recorded_train(
    trainer: Trainer, segments: Sequence[Segment], poll: Callable[[], bool]
) -> Report:
    """Train as ever, then record which segments led from which version to which."""
    before = trainer.version
    report = train(trainer, segments, poll)
    line = {
        "from": before,
        "to": trainer.version,
        "segments": [[s.epoch, s.seq, digest(encode(s))] for s in segments],
    }
    append(f"learner-{trainer.shape.agent}", line)
    return report


class RecordedOutbox(Outbox):
    """Records the segments of one actor, and how many of them it was told are durable."""

    epoch = 0  # unknown before the first segment; nothing is durable before that

    def add(self, frames: Sequence[Frame]) -> None:
        """Record a segment, then keep it."""
        _, _, (self.epoch, seq, *_), _ = msgpack.unpackb(frames[0])
        append(f"actor-{os.getpid()}", {"made": [self.epoch, seq, digest(frames)]})
        super().add(frames)

    def _update(self, progress: Any) -> None:
        before = self.durable
        super()._update(progress)
        if self.durable > before:
            append(f"actor-{os.getpid()}", {"durable": [self.epoch, self.durable]})


def digest(frames: Sequence[Frame]) -> str:
    """Of all frames of a message."""
    found = hashlib.blake2b(digest_size=12)
    for frame in frames:
        found.update(frame)
    return found.hexdigest()


def append(name: str, line: dict[str, Any]) -> None:
    """Append a line with a single write, which a kill cannot divide."""
    path = Path(os.environ[RECORDS]) / f"{name}.jsonl"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(file, json.dumps(line).encode() + b"\n")
    os.close(file)
