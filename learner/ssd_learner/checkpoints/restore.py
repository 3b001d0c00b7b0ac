"""Resumes from the newest usable checkpoint, and accounts for what an older one lacks.

If the newest checkpoint is damaged, the weights are those of an older one. The segments trained
since then were acknowledged as durable, so the actors have deleted them. These segments count as
given up, and each epoch continues from its watermark in the learner's ledger.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ssd_learner.checkpoints.checkpoint_file import (
    TEMPORARY,
    CheckpointError,
    DamagedCheckpointError,
    TrainingProgress,
    checkpoints,
    read_checkpoint,
    set_aside,
)
from ssd_learner.checkpoints.ledger import LearnerLedger, LedgerEpoch, read_ledger
from ssd_learner.segments.epochs import SegmentCounts, Watermark
from ssd_learner.trainer import Trainer

_log = logging.getLogger(__name__)


def restore(
    folder: Path, trainer: Trainer, fingerprint: str, ledger: Path | None = None
) -> TrainingProgress | None:
    """Restore a trainer from the newest checkpoint that is not damaged.

    Damaged checkpoints are renamed, and the training lost with them is logged.

    Args:
        folder: Of the agent's checkpoints.
        trainer: Is changed.
        fingerprint: Of the run.
        ledger: The file that the learner wrote at its last checkpoint, if it keeps one.

    Returns:
        The progress to continue from; None if nothing has been trained yet.

    Raises:
        CheckpointError: a checkpoint belongs to another run, agent or network; or all are damaged;
            or there is none, although the ledger says that the agent was trained; or the ledger is
            none of ours.
        OSError: a file cannot be read now; nothing is renamed.
    """
    _remove_temporary_files(folder)
    known = read_ledger(ledger)
    damaged: list[Path] = []
    for path in reversed(checkpoints(folder)):
        try:
            progress, tensors = read_checkpoint(path)
            _check_belongs(path, progress, trainer, fingerprint)
            trainer.restore(tensors, progress.own_steps, progress.version)
        except DamagedCheckpointError as fault:
            _log.error("%s", fault)
            damaged.append(path)
            continue
        except (ValueError, KeyError) as fault:
            raise CheckpointError(f"{path}: does not fit this network: {fault}") from fault
        for damaged_path in damaged:
            set_aside(damaged_path)
        is_older = damaged or _is_older(progress, known)
        return _after_loss(progress, known, path) if is_older else progress
    _check_untrained(folder, ledger, known.own_steps, damaged)
    return None


def _check_untrained(
    folder: Path, ledger: Path | None, own_steps: int, damaged: list[Path]
) -> None:
    """Refuse to start from scratch if the agent was trained before."""
    if damaged:
        and_ledger = "" if ledger is None else f" and {ledger}"
        raise CheckpointError(
            f"{folder}: all checkpoints are damaged; wanted at least one to continue from."
            f" Restore one from a copy, or delete the folder{and_ledger} to train this agent from"
            " scratch"
        )
    if own_steps > 0:
        raise CheckpointError(
            f"{folder}: wanted a checkpoint, since {own_steps:,} own-steps were trained,"
            f" found none. Restore the folder from a copy, or delete {ledger} to train this"
            " agent from scratch"
        )


def _remove_temporary_files(folder: Path) -> None:
    """Files left by a process that was killed while it wrote a checkpoint."""
    for file in folder.glob(f".update-*{TEMPORARY}"):
        file.unlink()


def _check_belongs(
    path: Path, progress: TrainingProgress, trainer: Trainer, fingerprint: str
) -> None:
    for what, wanted, found in (
        ("fingerprint", fingerprint, progress.fingerprint),
        ("agent", trainer.shape.agent, progress.agent),
    ):
        if wanted != found:
            raise CheckpointError(f"{path}: wanted {what} {wanted}, found {found}")


def _is_older(progress: TrainingProgress, known: LearnerLedger) -> bool:
    """Whether a checkpoint has fewer segments than the ledger, which is written after it.

    Then a newer one was lost: it was damaged when an earlier process started, which was killed
    before it wrote another.
    """
    return _consumed(progress.counts) < _consumed(known.segments)


def _consumed(counts: SegmentCounts) -> int:
    return counts.trained + counts.surplus + counts.given_up


def _after_loss(progress: TrainingProgress, known: LearnerLedger, path: Path) -> TrainingProgress:
    """The progress of an older checkpoint, with watermarks advanced to those of the ledger."""
    watermarks = tuple(_advanced(progress.watermarks, known.epochs))
    given_up = progress.forgotten.given_up + sum(mark.given_up for mark in watermarks)
    lost = given_up - progress.counts.given_up
    _log.error(
        "continuing from %s instead: %d own-steps and %d segments of training are lost",
        path.name,
        max(0, known.own_steps - progress.own_steps),
        lost,
    )
    counts = replace(progress.counts, given_up=given_up)
    return replace(progress, watermarks=watermarks, counts=counts)


def _advanced(
    watermarks: Iterable[Watermark], entries: Iterable[LedgerEpoch]
) -> Iterable[Watermark]:
    """Watermarks advanced to the ledger; the segments in between count as given up."""
    marks = {(mark.arena, mark.epoch): mark for mark in watermarks}
    for entry in entries:
        key = entry.arena, entry.epoch
        mark = marks.get(key, Watermark(*key, consumed=0, surplus=0, retired=False))
        ahead = max(0, entry.durable - mark.consumed)
        marks[key] = replace(
            mark,
            consumed=mark.consumed + ahead,
            given_up=mark.given_up + ahead,
            retired=entry.retired,
        )
    return marks.values()
