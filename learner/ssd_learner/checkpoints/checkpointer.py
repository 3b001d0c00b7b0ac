"""Decides when to write checkpoints, and writes them together with the segment ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from ssd_learner.checkpoints.checkpoint_file import Progress, write_checkpoint
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.trainer import Trainer
from ssd_wire.process import write_atomically


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
        """Write a checkpoint and the ledger. On return all consumed segments are durable.

        Raises:
            ArithmeticError: the weights or the optimizer's state are not finite.
            OSError: a file cannot be written.
        """
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
        write_atomically(path, json.dumps(account, indent=1) + "\n")
