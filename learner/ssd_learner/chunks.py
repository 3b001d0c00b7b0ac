"""A batch in chunks of equal length, from all games and all phases of an episode, for PPO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Choices:
    """What one head chose in M chunks of C steps, and what came of it.

    Attributes:
        chosen: [C, M] long.
        log_prob: [C, M] of it, when it was chosen.
        advantage: [C, M].
        target: [C, M] of the value head's output.
    """

    chosen: Tensor
    log_prob: Tensor
    advantage: Tensor
    target: Tensor


@dataclass(frozen=True, eq=False)
class Chunks:
    """M chunks of C steps each.

    Attributes:
        pixels: [C, M, W, W] uint8.
        first_host: [C, M] bool, on the host.
        actions: [C+1, M, N] long, a_{−1} … a_{C−1}.
        state: [M, S] recurrent state before each chunk.
        acting: of the policy.
        moa_targets: [C, M, J] long; None without a MOA, as is the mask.
        moa_mask: [C, M, J] bool.
        symbols: [C+1, M, N] long, m_{−1} … m_{C−1}; None where nobody speaks.
        speaking: of the communication head; None as well.
    """

    pixels: Tensor
    first_host: Tensor
    actions: Tensor
    state: Tensor
    acting: Choices
    moa_targets: Tensor | None = None
    moa_mask: Tensor | None = None
    symbols: Tensor | None = None
    speaking: Choices | None = None

    @property
    def steps(self) -> int:
        """C."""
        return len(self.pixels)

    @property
    def count(self) -> int:
        """M."""
        return self.pixels.shape[1]

    def shuffled(self, minibatches: int) -> Iterator[Chunks]:
        """All chunks in a random order, in so many parts of nearly equal size."""
        order = torch.randperm(self.count)
        for part in order.tensor_split(minibatches):
            yield self._select(part, part.to(self.pixels.device, non_blocking=True))

    def _select(self, host: Tensor, device: Tensor) -> Chunks:
        return _each(
            [self],
            lambda name, of: of[0].index_select(
                0 if name == "state" else 1, host if name == "first_host" else device
            ),
        )


def cut(whole: Tensor, length: int, overlap: int = 0) -> Tensor:
    """[L + overlap, B, …] → [length + overlap, (L / length) · B, …]: stretches, side by side.

    Args:
        whole: Along time, then games.
        length: C, which divides L.
        overlap: How many steps of each stretch are also the first of the next.
    """
    steps = len(whole) - overlap
    pieces = [whole[begin : begin + length + overlap] for begin in range(0, steps, length)]
    return torch.cat(pieces, 1) if len(pieces) > 1 else pieces[0]


def together(several: Sequence[Chunks]) -> Chunks:
    """All chunks of several batches."""
    if len(several) == 1:
        return several[0]
    return _each(several, lambda name, of: torch.cat(of, 0 if name == "state" else 1))


def _each(several, make):  # type: ignore[no-untyped-def]
    """An object like these, each tensor made of theirs; what is missing stays missing."""
    made = {}
    for field in fields(several[0]):
        of = [getattr(one, field.name) for one in several]
        if of[0] is None:
            made[field.name] = None
        elif isinstance(of[0], Tensor):
            made[field.name] = make(field.name, of)
        else:
            made[field.name] = _each(of, make)
    return type(several[0])(**made)
