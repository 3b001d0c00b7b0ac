"""Resuming from the newest checkpoint that can be used, and what it costs if an older one is used.

When the newest checkpoint is damaged, the parameters go back to an older one. Actors were told that
the segments trained since then are durable, and have deleted them. These segments count as given
up, and each epoch continues where the learner's ledger has it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ssd_learner.checkpoints.checkpoint_file import (
    CheckpointError,
    Clocks,
    DamagedCheckpointError,
    checkpoints,
    read_checkpoint,
    set_aside,
)
from ssd_learner.segments.receiver import Watermark
from ssd_learner.trainer import Trainer

_log = logging.getLogger(__name__)


def restore(
    folder: Path, trainer: Trainer, fingerprint: str, ledger: Path | None = None
) -> Clocks | None:
    """Bring a trainer to the state of the newest checkpoint that is not damaged.

    Damaged ones are renamed, and what that costs is logged.

    Args:
        folder: Of the agent's checkpoints.
        trainer: To be changed.
        fingerprint: Of the run.
        ledger: What the learner wrote at its last checkpoint; None where it keeps none.

    Returns:
        Where to continue; None where nothing has been trained yet.

    Raises:
        CheckpointError: when a checkpoint is of another run, agent or network, when all are
            damaged, or when there is none although the ledger says that the agent was trained.
    """
    _remove_drafts(folder)
    known = _read_ledger(ledger)
    damaged: list[Path] = []
    for path in reversed(checkpoints(folder)):
        try:
            clocks, tensors = read_checkpoint(path)
            _check_belongs(path, clocks, trainer, fingerprint)
            trainer.restore(tensors, clocks.own_steps, clocks.version)
        except DamagedCheckpointError as fault:
            _log.error("%s", fault)
            damaged.append(path)
            continue
        except (ValueError, KeyError) as fault:
            raise CheckpointError(f"{path}: does not fit this network: {fault}") from fault
        return _after_damage(clocks, known, path, damaged) if damaged else clocks
    if damaged:
        raise CheckpointError(
            f"{folder}: all checkpoints are damaged; wanted at least one to continue from."
            f" Restore one from a copy, or delete the folder{_and(ledger)} to start this agent anew"
        )
    if known.get("own_steps", 0) > 0:
        raise CheckpointError(
            f"{folder}: wanted a checkpoint, since {known['own_steps']:,} own-steps were trained,"
            f" found none. Restore the folder from a copy, or delete {ledger} to start this agent"
            " anew"
        )
    return None


def _and(ledger: Path | None) -> str:
    return "" if ledger is None else f" and {ledger}"


def _remove_drafts(folder: Path) -> None:
    for draft in folder.glob(".update-*.draft"):  # of a process that was killed while it wrote
        draft.unlink()


def _read_ledger(ledger: Path | None) -> Mapping[str, Any]:
    try:
        content = json.loads(ledger.read_text()) if ledger is not None else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _check_belongs(path: Path, clocks: Clocks, trainer: Trainer, fingerprint: str) -> None:
    for what, wanted, found in (
        ("fingerprint", fingerprint, clocks.fingerprint),
        ("agent", trainer.shape.agent, clocks.agent),
    ):
        if wanted != found:
            raise CheckpointError(f"{path}: wanted {what} {wanted}, found {found}")


def _after_damage(
    clocks: Clocks, known: Mapping[str, Any], path: Path, damaged: Iterable[Path]
) -> Clocks:
    """The clocks of an older checkpoint, with the watermarks of the newest one."""
    for bad in damaged:
        set_aside(bad)
    watermarks = tuple(_advanced(clocks.watermarks, known.get("epochs", ())))
    given_up = sum(mark.given_up for mark in watermarks)
    lost = given_up - clocks.counts.given_up
    _log.error(
        "continuing from %s instead: %d own-steps and %d segments of training are lost",
        path.name,
        max(0, known.get("own_steps", 0) - clocks.own_steps),
        lost,
    )
    counts = replace(clocks.counts, given_up=given_up)
    return replace(clocks, watermarks=watermarks, counts=counts)


def _advanced(
    former: Iterable[Watermark], entries: Iterable[Mapping[str, Any]]
) -> Iterable[Watermark]:
    """Each epoch as far as the ledger has it; what its older watermark lacks is given up."""
    marks = {(mark.arena, mark.epoch): mark for mark in former}
    for entry in entries:
        key = entry["arena"], entry["epoch"]
        mark = marks.get(key, Watermark(*key, handled=0, surplus=0, retired=False))
        ahead = max(0, entry["durable"] - mark.handled)
        marks[key] = replace(
            mark,
            handled=mark.handled + ahead,
            given_up=mark.given_up + ahead,
            retired=entry["retired"],
        )
    return marks.values()
