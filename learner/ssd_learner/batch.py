"""Segments, as they came off the wire, made into one batch of tensors on the learner's device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ssd_wire.messages import Segment


@dataclass(frozen=True, eq=False)
class Batch:
    """T steps of B games, side by side from one or more segments.

    Attributes:
        pixels: [T+1, B, W, W] uint8 palette indices.
        first_host: [T+1, B] bool, on the host: where episodes start decides how to cut.
        first: the same on the device.
        visible: [T+1, B, N] bool.
        actions: [T+2, B, N] long, a_{−1} … a_T.
        log_prob: [T, B] float32 of the agent's own action when it acted.
        reward: [T, B] float32, e_t.
        influence: [T, B] float32, c_t in nats.
        state: [B, S] float32, recurrent state before step 0.
        symbols: [T+1, B, N] long, m_{−1} … m_{T−1}; None where nobody speaks.
        symbol_log_prob: [T, B] float32 of the agent's own symbol when it spoke; None as well.
        shaped: [T, B] float32, in the place of e_t; None where e_t has its place.
    """

    pixels: Tensor
    first_host: Tensor
    first: Tensor
    visible: Tensor
    actions: Tensor
    log_prob: Tensor
    reward: Tensor
    influence: Tensor
    state: Tensor
    symbols: Tensor | None = None
    symbol_log_prob: Tensor | None = None
    shaped: Tensor | None = None

    @property
    def steps(self) -> int:
        """Own-steps in this batch: T·B."""
        return self.reward.numel()

    def split(self, games: int) -> Iterator[Batch]:
        """Its games in equal parts, as few as hold at most so many each, without a copy."""
        parts = -(-self.reward.shape[1] // games)
        pieces = {
            field.name: tensor.tensor_split(parts, 0 if field.name == "state" else 1)
            for field in fields(self)
            if (tensor := getattr(self, field.name)) is not None
        }
        for number in range(parts):
            yield Batch(**{name: piece[number] for name, piece in pieces.items()})


def collate(segments: Sequence[Segment], device: torch.device) -> Batch:
    """One batch of segments of equal shape, copied to the device without waiting for it."""

    def beside(name: str, axis: int = 1) -> Tensor:
        joined = np.concatenate([getattr(segment, name) for segment in segments], axis)
        tensor = torch.from_numpy(joined)
        return tensor.pin_memory() if device.type == "cuda" else tensor

    def there(tensor: Tensor) -> Tensor:
        return tensor.to(device, non_blocking=True)

    def there_if_any(name: str) -> Tensor | None:
        return None if getattr(segments[0], name) is None else there(beside(name))

    first, symbols = beside("first"), there_if_any("symbols")
    return Batch(
        pixels=there(beside("pixels")),
        first_host=first,
        first=there(first),
        visible=there(beside("visible")),
        actions=there(beside("actions")).long(),
        log_prob=there(beside("log_prob")),
        reward=there(beside("reward")),
        influence=there(beside("influence")),
        state=there(beside("state", axis=0)),
        symbols=None if symbols is None else symbols.long(),
        symbol_log_prob=there_if_any("symbol_log_prob"),
        shaped=there_if_any("shaped"),
    )
