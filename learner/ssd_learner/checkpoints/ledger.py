"""Reads the ledger that the learner wrote with its last checkpoint, as far as it is needed."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ssd_learner.checkpoints.checkpoint_file import CheckpointError, read_bytes
from ssd_learner.segments.epochs import SegmentCounts

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LedgerEpoch:
    """How far an epoch had come. `SegmentReceiver.ledger` writes it."""

    arena: int
    epoch: int
    durable: int
    retired: bool


@dataclass(frozen=True)
class LearnerLedger:
    """What the learner had trained at its last checkpoint."""

    own_steps: int
    segments: SegmentCounts
    epochs: tuple[LedgerEpoch, ...]


NOTHING_TRAINED = LearnerLedger(own_steps=0, segments=SegmentCounts(), epochs=())
_LEDGER = TypeAdapter(LearnerLedger)


def read_ledger(path: Path | None) -> LearnerLedger:
    """The ledger of an earlier process; `NOTHING_TRAINED` if there is none.

    A file that is not JSON counts as none, since a crash of the machine can leave one: ledgers are
    replaced atomically, but not synced.

    Raises:
        CheckpointError: it is JSON, but no ledger.
        OSError: it cannot be read now.
    """
    if path is None:
        return NOTHING_TRAINED
    try:
        content = json.loads(read_bytes(path))
    except FileNotFoundError:
        return NOTHING_TRAINED
    except ValueError as fault:
        _log.error("%s: wanted JSON, and goes on without it: %s", path, fault)
        return NOTHING_TRAINED
    try:
        return _LEDGER.validate_python(content)
    except ValidationError as fault:
        raise CheckpointError(
            f"{path}: wanted a ledger of ssd-learner, {_found(fault)}. Restore it from a copy, or"
            " delete it to go on without it"
        ) from fault


def _found(fault: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    error = fault.errors()[0]
    place = ".".join(map(str, error["loc"]))
    return f"found {error['input']!r:.200}{place and f' in {place}'}: {error['msg']}"
