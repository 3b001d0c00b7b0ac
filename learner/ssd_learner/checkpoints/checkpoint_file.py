"""Checkpoints: one safetensors file each, written whole or not at all. No pickle.

The tensors are weights, optimizer and random state; the header's metadata holds, as JSON, the
clocks and how far each epoch had come, so that parameters and watermarks are durable together.
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

from ssd_learner.segments.receiver import Counts, Watermark

FORMAT = 1
SUFFIX = ".safetensors"


class CheckpointError(Exception):
    """A checkpoint that cannot be used. Names the file, what was wanted and what was found."""


@dataclass(frozen=True)
class Clocks:
    """What a checkpoint says beside its tensors.

    Attributes:
        agent: whose weights these are.
        fingerprint: of the run they belong to.
        own_steps: agent-steps of this agent trained on.
        version: updates made.
        counts: segments, by what became of them.
        watermarks: how far each epoch had come.
    """

    agent: int
    fingerprint: str
    own_steps: int
    version: int
    counts: Counts
    watermarks: tuple[Watermark, ...]


_CLOCKS = TypeAdapter(Clocks)


def write_checkpoint(
    folder: Path, clocks: Clocks, tensors: Mapping[str, Tensor], keep: int
) -> Path:
    """Make a checkpoint durable: it is on disk, whole, when this returns. Older ones go.

    Args:
        folder: Where the agent's checkpoints are.
        clocks: Goes into the header.
        tensors: Copied to the host as need be.
        keep: How many of the newest to leave.
    """
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"format": str(FORMAT), "clocks": _CLOCKS.dump_json(clocks).decode()}
    path = folder / f"update-{clocks.version:012d}{SUFFIX}"
    draft = folder / f".{path.name}.draft"
    with draft.open("wb") as file:
        file.write(save(content, metadata))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(folder)
    for old in _checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def newest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint to go on from, if there is one."""
    return next(reversed(_checkpoints(folder)), None)


def read_checkpoint(path: Path) -> tuple[Clocks, dict[str, Tensor]]:
    """What `write_checkpoint` wrote, tensors on the host.

    Raises:
        CheckpointError: when it is no checkpoint, or a damaged one.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        if metadata.get("format") != str(FORMAT):
            found = metadata.get("format", "none")
            raise CheckpointError(f"{path}: wanted checkpoint format {FORMAT}, found {found}")
        return _CLOCKS.validate_json(metadata["clocks"]), tensors
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as fault:
        raise CheckpointError(f"{path}: is no whole checkpoint: {fault}") from fault


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"update-*{SUFFIX}"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
