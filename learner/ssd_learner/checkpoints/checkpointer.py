"""When a learner makes its work durable, and the records it leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from ssd_learner.checkpoints.checkpoint_file import Clocks, write_checkpoint
from ssd_learner.segments.receiver import Intake
from ssd_learner.trainer import Trainer
from ssd_wire.process import write_atomically


class Archive:
    """The checkpoints of one agent.

    Args:
        folder: Where they are.
        ledger: File for the account of segments, or None for none.
        seconds: Longest time between checkpoints while there is news.
        keep: How many of the newest stay.
        now: A clock in seconds.
    """

    def __init__(
        self,
        folder: Path,
        ledger: Path | None,
        seconds: float,
        keep: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._ledger = ledger
        self._seconds = seconds
        self._keep = keep
        self._now = now
        self._saved_at = now()
        self.written = 0
        self.durable_own_steps = 0

    def seconds_left(self) -> float:
        """Until the next checkpoint is due, at least 0."""
        return max(0.0, self._saved_at + self._seconds - self._now())

    def is_due(self, intake: Intake) -> bool:
        """Whether it is time, or somebody is waiting for durability."""
        return intake.wants_checkpoint or (intake.has_news and not self.seconds_left())

    def save(self, trainer: Trainer, intake: Intake) -> None:
        """Write a checkpoint and the ledger. What was handled until now is durable on return.

        Raises:
            ArithmeticError: when the weights or the optimizer's state are not finite.
            OSError: when a file cannot be written.
        """
        clocks = Clocks(
            agent=trainer.shape.agent,
            fingerprint=intake.fingerprint,
            own_steps=trainer.own_steps,
            version=trainer.version,
            counts=intake.handled_counts(),
            watermarks=tuple(epoch.watermark() for epoch in intake.epochs),
        )
        write_checkpoint(self._folder, clocks, trainer.state(), self._keep)
        intake.made_durable(clocks.watermarks)
        self._saved_at = self._now()
        self.written += 1
        self.durable_own_steps = trainer.own_steps
        if self._ledger is not None:
            account = {
                "agent": trainer.shape.agent,
                "learner": intake.learner,
                "own_steps": trainer.own_steps,
                "updates": trainer.version,
                **intake.ledger(),
            }
            write_atomically(self._ledger, json.dumps(account, indent=1) + "\n")
