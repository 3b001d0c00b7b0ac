"""Decides when to write checkpoints, and writes them together with the segment ledger.

A checkpoint that cannot be written, since the disk is full or read-only, is tried again later.
Training continues meanwhile, until the actors hold as many segments as they may.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from ssd_learner.checkpoints.checkpoint_file import TrainingProgress, write_checkpoint
from ssd_learner.segments.receiver import SegmentReceiver
from ssd_learner.trainer import Trainer
from ssd_wire.process.command import write_atomically

RETRY_SECONDS = 5.0


class Checkpointer:
    """Writes the checkpoints of one agent.

    Args:
        folder: Where they go.
        ledger: File for the account of segments, or None for none.
        interval: Longest time between checkpoints while there is anything to make durable, in
            seconds.
        keep: How many of the newest checkpoints stay.
        now: A clock in seconds.

    Attributes:
        written: Checkpoints written by this process.
        durable_own_steps: In the last one, which an earlier process may have written.
        written_at: When this process wrote its last one, or else began; Unix time in seconds.
        fault: Why the last attempt failed; None where it did not.
        ledger_fault: Why the ledger could not be written with the last checkpoint.
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
        self.written_at = time.time()
        self.written = 0
        self.durable_own_steps = 0
        self.fault: OSError | None = None
        self.ledger_fault: OSError | None = None
        self._failed_at = now()
        self._log = logging.getLogger(__name__)

    def seconds_until_due(self) -> float:
        """Time until the next checkpoint, or the next attempt, is due; at least 0."""
        if self.fault is not None:
            return max(0.0, self._failed_at + RETRY_SECONDS - self._now())
        return max(0.0, self._saved_at + self._interval - self._now())

    def is_due(self, receiver: SegmentReceiver) -> bool:
        """Whether the interval has passed, or an actor waits for its segments to be durable."""
        interval_passed = receiver.has_uncommitted and not self.seconds_until_due()
        if self.fault is not None:
            return interval_passed
        return receiver.needs_checkpoint or interval_passed

    def try_save(self, trainer: Trainer, receiver: SegmentReceiver) -> None:
        """Write a checkpoint and the ledger, or note that this failed, to be tried again.

        Raises:
            ArithmeticError: the weights or the optimizer's state are not finite.
        """
        try:
            self.save(trainer, receiver)
        except OSError as fault:
            if self.fault is None:
                self._log.error("no checkpoint can be written, training continues: %s", fault)
            self.fault, self._failed_at = fault, self._now()
            return
        if self.fault is not None:
            self._log.info("checkpoints can be written again")
        self.fault = None

    def save(self, trainer: Trainer, receiver: SegmentReceiver) -> None:
        """Write a checkpoint and the ledger. On return all consumed segments are durable.

        A ledger that cannot be written is logged, and written again with the next checkpoint.

        Raises:
            ArithmeticError: the weights or the optimizer's state are not finite.
            OSError: the checkpoint cannot be written.
        """
        progress = TrainingProgress(
            agent=trainer.shape.agent,
            fingerprint=receiver.fingerprint,
            own_steps=trainer.own_steps,
            version=trainer.version,
            counts=receiver.consumed_counts(),
            watermarks=tuple(epoch.watermark() for epoch in receiver.epochs),
            forgotten=receiver.forgotten,
        )
        write_checkpoint(self._folder, progress, trainer.state(), self._keep)
        receiver.mark_durable(progress.watermarks)
        self._saved_at = self._now()
        self.written_at = time.time()
        self.written += 1
        self.durable_own_steps = trainer.own_steps
        if self._ledger is not None:
            self.ledger_fault = None
            try:
                self._write_ledger(self._ledger, trainer, receiver)
            except OSError as fault:
                self.ledger_fault = fault
                self._log.error("the counts of segments cannot be written: %s", fault)

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
