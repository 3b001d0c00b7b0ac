"""Checkpoint files in safetensors format, written whole or not at all. No pickle.

The tensors are weights, optimizer and random state. The header's metadata holds, as JSON, the
clocks and how far each epoch had come, so that parameters and watermarks become durable together.
It also holds a digest of the whole file, header included, so that a single flipped bit is found.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ssd_learner.segments.receiver import Counts, Watermark

FORMAT = 2
OLDER_FORMATS = ("1",)  # had no digest
SUFFIX = ".safetensors"
DAMAGED = ".damaged"  # is added to the name of a checkpoint that cannot be used
_HEADER_SIZE = 8  # bytes, little-endian: the length of the header that follows
_NO_DIGEST = "0" * 64  # stands in the place of the digest while the digest is computed


class CheckpointError(Exception):
    """A checkpoint that cannot be used. Names the file, what was wanted and what was found."""


class DamagedCheckpointError(CheckpointError):
    """A file that is not what was once written, or that holds what cannot be trained from."""


@dataclass(frozen=True)
class Clocks:
    """What a checkpoint holds beside its tensors.

    Attributes:
        agent: whose weights these are.
        fingerprint: of the run they belong to.
        own_steps: agent-steps of this agent trained on.
        version: updates made.
        counts: segments, by what became of them.
        watermarks: how far each epoch had come.

    Raises:
        ValueError: when a number is negative.
    """

    agent: int
    fingerprint: str
    own_steps: int
    version: int
    counts: Counts
    watermarks: tuple[Watermark, ...]

    def __post_init__(self) -> None:
        for name, number in (("own_steps", self.own_steps), ("version", self.version)):
            if number < 0:
                raise ValueError(f"{name}: wanted at least 0, found {number}")
        for mark in (self.counts, *self.watermarks):
            if negative := {name: n for name, n in vars(mark).items() if n < 0}:
                raise ValueError(f"{type(mark).__name__}: wanted at least 0, found {negative}")


_CLOCKS = TypeAdapter(Clocks)


def write_checkpoint(
    folder: Path, clocks: Clocks, tensors: Mapping[str, Tensor], keep: int
) -> Path:
    """Make a checkpoint durable: it is on disk, whole, when this returns. Older ones are removed.

    Args:
        folder: Where the agent's checkpoints are.
        clocks: Goes into the header.
        tensors: Copied to the host as need be.
        keep: How many of the newest to leave.

    Raises:
        ArithmeticError: when a number is not finite; then nothing is written.
        OSError: when it cannot be written; then the former checkpoints are as they were.
    """
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise ArithmeticError(f"update {clocks.version}: {name} is not finite")
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {
        "format": str(FORMAT),
        "clocks": _CLOCKS.dump_json(clocks).decode(),
        "digest": _NO_DIGEST,
    }
    raw = save(content, metadata)
    path = folder / f"update-{clocks.version:012d}{SUFFIX}"
    draft = folder / f".{path.name}.draft"
    try:
        with draft.open("wb") as file:
            file.write(_with_digest(raw, _digest(raw)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    for old in checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def read_checkpoint(path: Path) -> tuple[Clocks, dict[str, Tensor]]:
    """What `write_checkpoint` wrote, tensors on the host.

    Raises:
        CheckpointError: when it is of another format.
        DamagedCheckpointError: when it is not what was written, or is not finite.
    """
    try:
        raw = path.read_bytes()
        metadata = _metadata(raw)
        if "digest" in metadata:
            _check_digest(path, raw, metadata["digest"])
        elif metadata.get("format") in OLDER_FORMATS:
            found = metadata["format"]
            raise CheckpointError(f"{path}: wanted checkpoint format {FORMAT}, found {found}")
        else:
            raise DamagedCheckpointError(f"{path}: wanted a digest of its content, found none")
        clocks, tensors = _CLOCKS.validate_json(metadata["clocks"]), load(raw)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise DamagedCheckpointError(f"{path}: is no whole checkpoint: {fault}") from fault
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise DamagedCheckpointError(f"{path}: {name}: wanted finite numbers")
    return clocks, tensors


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of most updates, if there is one."""
    return next(reversed(checkpoints(folder)), None)


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints in a folder, the newest last."""
    return sorted(folder.glob(f"update-*{SUFFIX}"))


def set_aside(path: Path) -> Path:
    """Rename a checkpoint that cannot be used, so that it is no checkpoint any more."""
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


def _with_digest(raw: bytes, digest: str, former: str = _NO_DIGEST) -> bytes:
    """The file's content with another digest in the place of the former one, in its header."""
    end = _HEADER_SIZE + int.from_bytes(raw[:_HEADER_SIZE], "little")
    header = raw[:end].replace(f'"digest":"{former}"'.encode(), f'"digest":"{digest}"'.encode(), 1)
    return header + raw[end:]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
