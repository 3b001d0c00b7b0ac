"""Decides when to write checkpoints, writes them and the segment ledger, and resumes from them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    Progress,
    newest_checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.trainer import Trainer
from ssd_wire.process import write_whole


class Checkpointer:
    """Writes the checkpoints of one agent.

    Args:
        folder: Where they go.
        ledger: File for the account of segments, or None for none.
        interval: Longest time between checkpoints while there is anything to make durable, in
            seconds.
        keep: How many of the newest checkpoints stay.
        now: A clock in seconds.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Path | None,
        interval: float,
        keep: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._interval = interval
        self._keep = keep
        self._now = now
        self._saved_at = now()
        self.written = 0
        self.durable_own_steps = 0

    def seconds_until_due(self) -> float:
        """Time until the next checkpoint is due, at least 0."""
        return max(0.0, self._saved_at + self._interval - self._now())

    def is_due(self, receiver: SegmentReceiver) -> bool:
        """Whether the interval has passed, or an actor waits for its segments to be durable."""
        interval_passed = receiver.has_uncommitted and not self.seconds_until_due()
        return receiver.needs_checkpoint or interval_passed

    def save(self, trainer: Trainer, receiver: SegmentReceiver) -> None:
        """Write a checkpoint and the ledger. On return all consumed segments are durable."""
        progress = Progress(
            agent=trainer.shape.agent,
            fingerprint=receiver.fingerprint,
            own_steps=trainer.own_steps,
            version=trainer.version,
            counts=receiver.consumed_counts(),
            watermarks=tuple(epoch.watermark() for epoch in receiver.epochs),
        )
        write_checkpoint(self._folder, progress, trainer.state(), self._keep)
        receiver.mark_durable(progress.watermarks)
        self._saved_at = self._now()
        self.written += 1
        self.durable_own_steps = trainer.own_steps
        if self._ledger is not None:
            self._write_ledger(self._ledger, trainer, receiver)

    @staticmethod
    def _write_ledger(path: Path, trainer: Trainer, receiver: SegmentReceiver) -> None:
        account = {
            "agent": trainer.shape.agent,
            "learner": receiver.learner_incarnation,
            "own_steps": trainer.own_steps,
            "updates": trainer.version,
            **receiver.ledger(),
        }
        write_whole(path, json.dumps(account, indent=1) + "\n")


def restore_newest(folder: Path, trainer: Trainer, fingerprint: str) -> Progress | None:
    """Restore a trainer from the newest checkpoint; None if there is none.

    Raises:
        CheckpointError: the newest is damaged, or belongs to another run or another agent.
            Resuming from an older one would lose segments that actors were told are durable.
    """
    path = newest_checkpoint(folder)
    if path is None:
        return None
    progress, tensors = read_checkpoint(path)
    for what, wanted, found in (
        ("fingerprint", fingerprint, progress.fingerprint),
        ("agent", trainer.shape.agent, progress.agent),
    ):
        if wanted != found:
            raise CheckpointError(f"{path}: wanted {what} {wanted}, found {found}")
    try:
        trainer.restore(tensors, progress.own_steps, progress.version)
    except (ValueError, KeyError) as fault:
        raise CheckpointError(f"{path}: does not fit this network: {fault}") from fault
    return progress
