"""A checkpoint: one safetensors file, written atomically. No pickle.

The tensors are weights, optimizer, value normalisers and random state. The header's metadata holds,
as JSON, the agent's progress and the watermark of each epoch. So the weights and the watermarks
become durable together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ssd_learner.segments.epochs import SegmentCounts, Watermark

FORMAT = "2"
SUFFIX = ".safetensors"


class CheckpointError(Exception):
    """An unusable checkpoint. Names the file, what was wanted and what was found."""


@dataclass(frozen=True)
class Progress:
    """The metadata of a checkpoint.

    Attributes:
        agent: whose checkpoint it is.
        fingerprint: of its run.
        own_steps: agent-steps of this agent trained on.
        version: updates made, and so the version of the weights.
        counts: segments, by what became of them.
        watermarks: how far each epoch had come.
    """

    agent: int
    fingerprint: str
    own_steps: int
    version: int
    counts: SegmentCounts
    watermarks: tuple[Watermark, ...]


_PROGRESS = TypeAdapter(Progress)


def write_checkpoint(
    folder: Path, progress: Progress, tensors: Mapping[str, Tensor], keep: int
) -> Path:
    """Write a checkpoint, which is durable on return, and delete old ones.

    Args:
        folder: Of the agent's checkpoints.
        progress: Goes into the header.
        tensors: Copied to the host where needed.
        keep: How many of the newest checkpoints stay.
    """
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": FORMAT, "progress": _PROGRESS.dump_json(progress).decode()}
    path = folder / f"update-{progress.version:012d}{SUFFIX}"
    temporary = folder / f".{path.name}.tmp"
    with temporary.open("wb") as file:
        file.write(save(content, metadata))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(folder)
    for old in _checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint to resume from, if there is one."""
    return next(reversed(_checkpoints(folder)), None)


def read_checkpoint(path: Path) -> tuple[Progress, dict[str, Tensor]]:
    """What `write_checkpoint` wrote, with the tensors on the host.

    Raises:
        CheckpointError: the file is no checkpoint, or is damaged, or of another format.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        found = metadata.get("format", "none")
        if found != FORMAT:
            raise CheckpointError(
                f"{path}: wanted checkpoint format {FORMAT}, found {found}: "
                "another version of ssd-learner wrote it"
            )
        return _PROGRESS.validate_json(metadata["progress"]), tensors
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as fault:
        raise CheckpointError(f"{path}: not a complete checkpoint: {fault}") from fault


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"update-*{SUFFIX}"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
