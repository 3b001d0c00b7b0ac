"""Checkpoint files in safetensors format, written atomically. No pickle.

The tensors are weights, optimizer, value normalisers and random state. The header's metadata holds,
as JSON, the agent's progress and the watermark of each epoch, so that weights and watermarks become
durable together. It also holds a digest of the whole file, header included, which detects a single
flipped bit.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ssd_learner.segments.epochs import ForgottenEpochs, SegmentCounts, Watermark

FORMAT = "3"
OLDER_FORMATS = ("1", "2")
SUFFIX = ".safetensors"
TEMPORARY = ".tmp"  # of a checkpoint that is being written
DAMAGED = ".damaged"  # appended to the name of an unusable checkpoint
_HEADER_SIZE = 8  # bytes, little-endian: the length of the header that follows
_NO_DIGEST = "0" * 64  # in place of the digest while it is computed


class CheckpointError(Exception):
    """An unusable checkpoint. Names the file, what was wanted and what was found."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose content has changed since it was written, or is not finite."""


@dataclass(frozen=True)
class TrainingProgress:
    """The metadata of a checkpoint.

    Attributes:
        agent: whose checkpoint it is.
        fingerprint: of its run.
        own_steps: agent-steps of this agent trained on.
        version: updates made, and so the version of the weights.
        counts: segments, by what became of them.
        watermarks: how far each epoch had come.
        forgotten: totals of the epochs before these.

    Raises:
        ValueError: a number is negative.
    """

    agent: int
    fingerprint: str
    own_steps: int
    version: int
    counts: SegmentCounts
    watermarks: tuple[Watermark, ...]
    forgotten: ForgottenEpochs = field(default_factory=ForgottenEpochs)

    def __post_init__(self) -> None:
        for name, number in (("own_steps", self.own_steps), ("version", self.version)):
            if number < 0:
                raise ValueError(f"{name}: wanted at least 0, found {number}")
        for mark in (self.counts, self.forgotten, *self.watermarks):
            if negative := {name: n for name, n in vars(mark).items() if n < 0}:
                raise ValueError(f"{type(mark).__name__}: wanted at least 0, found {negative}")


_PROGRESS = TypeAdapter(TrainingProgress)


def write_checkpoint(
    folder: Path, progress: TrainingProgress, tensors: Mapping[str, Tensor], keep: int
) -> Path:
    """Write a checkpoint, which is durable on return, and delete old ones.

    Args:
        folder: Of the agent's checkpoints.
        progress: Goes into the header.
        tensors: Copied to the host where needed.
        keep: How many of the newest checkpoints stay.

    Raises:
        ArithmeticError: a number is not finite; nothing is written.
        OSError: the file cannot be written; older checkpoints stay as they are.
    """
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise ArithmeticError(f"update {progress.version}: {name} is not finite")
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {
        "format": FORMAT,
        "progress": _PROGRESS.dump_json(progress).decode(),
        "digest": _NO_DIGEST,
    }
    raw = save(content, metadata)
    path = folder / f"update-{progress.version:012d}{SUFFIX}"
    temporary = folder / f".{path.name}{TEMPORARY}"
    try:
        with temporary.open("wb") as file:
            file.write(_with_digest(raw, _digest(raw)))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    for old in checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def read_checkpoint(path: Path) -> tuple[TrainingProgress, dict[str, Tensor]]:
    """What `write_checkpoint` wrote, with the tensors on the host.

    Raises:
        CheckpointError: the file has an older format.
        DamagedCheckpointError: its content has changed since it was written, or is not finite.
        OSError: it cannot be read now. That may pass, so it is not damage.
    """
    raw = read_bytes(path)
    try:
        metadata = _metadata(raw)
        if "digest" in metadata:
            _check_digest(path, raw, metadata["digest"])
        if metadata.get("format") in OLDER_FORMATS:
            found = metadata["format"]
            raise CheckpointError(
                f"{path}: wanted checkpoint format {FORMAT}, found {found}:"
                " an older version of ssd-learner wrote it"
            )
        if "digest" not in metadata:
            raise DamagedCheckpointError(f"{path}: wanted a digest of its content, found none")
        progress, tensors = _PROGRESS.validate_json(metadata["progress"]), load(raw)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise DamagedCheckpointError(f"{path}: not a complete checkpoint: {fault}") from fault
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise DamagedCheckpointError(f"{path}: {name}: wanted finite numbers")
    return progress, tensors


def read_bytes(path: Path) -> bytes:
    """The content of a file; an error names the file, which that of a failed read does not."""
    try:
        return path.read_bytes()
    except OSError as fault:
        raise OSError(fault.errno, f"cannot be read: {fault.strerror}", str(path)) from fault


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint with the most updates, if there is one."""
    return next(reversed(checkpoints(folder)), None)


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints in a folder, the newest last."""
    return sorted(folder.glob(f"update-*{SUFFIX}"))


def set_aside(path: Path) -> Path:
    """Rename an unusable checkpoint, so that it no longer counts as one."""
    return path.rename(path.with_name(path.name + DAMAGED))


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _metadata(raw: bytes) -> dict[str, str]:
    length = int.from_bytes(raw[:_HEADER_SIZE], "little")
    header = json.loads(raw[_HEADER_SIZE : _HEADER_SIZE + length])
    metadata: dict[str, str] = header.get("__metadata__", {})
    return metadata


def _check_digest(path: Path, raw: bytes, digest: str) -> None:
    if _digest(_with_digest(raw, _NO_DIGEST, digest)) != digest:
        raise DamagedCheckpointError(f"{path}: its content does not match its digest")


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=32).hexdigest()


def _with_digest(raw: bytes, digest: str, old_digest: str = _NO_DIGEST) -> bytes:
    """The file's content with its header's digest replaced."""
    end = _HEADER_SIZE + int.from_bytes(raw[:_HEADER_SIZE], "little")
    header = raw[:end].replace(
        f'"digest":"{old_digest}"'.encode(), f'"digest":"{digest}"'.encode(), 1
    )
    return header + raw[end:]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
