"""Chunks of equal length from all games and all phases of an episode: what minibatches hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_learner.targets.moa import MoaTargets


class HeadSamples(NamedTuple):
    """What one head is trained on, in M chunks of C steps; all [C, M]."""

    action: Tensor  # long: the action of the policy, or the symbol of the communication head
    log_prob: Tensor  # of it under the policy that acted
    advantage: Tensor
    target: Tensor  # of the value head's output


@dataclass(frozen=True, eq=False)
class Chunks:
    """M chunks of C steps each.

    Attributes:
        pixels: [C, M, W, W] uint8.
        is_first_host: [C, M] bool, on the host, only to decide where sequences are cut.
        is_first: the same on the device.
        actions: [C+1, M, N] long, a_{−1} … a_{C−1}.
        state: [M, S] recurrent state before each chunk.
        action_head: samples of the policy.
        moa_targets: of C steps of M chunks; None without a model of others.
        symbols: [C+1, M, N] long, m_{−1} … m_{C−1}; None without communication.
        symbol_head: samples of the communication head; None without communication.
    """

    pixels: Tensor
    is_first_host: Tensor
    is_first: Tensor
    actions: Tensor
    state: Tensor
    action_head: HeadSamples
    moa_targets: MoaTargets | None = None
    symbols: Tensor | None = None
    symbol_head: HeadSamples | None = None

    @property
    def length(self) -> int:
        """C: steps of each chunk."""
        return len(self.pixels)

    @property
    def count(self) -> int:
        """M: number of chunks."""
        return self.pixels.shape[1]

    def shuffled_minibatches(self, number: int) -> Iterator[Chunks]:
        """All chunks in random order, in minibatches of nearly equal size."""
        device = self.pixels.device
        order = torch.randperm(self.count, pin_memory=device.type == "cuda")
        on_device = order.to(device, non_blocking=True)
        parts = order.tensor_split(number), on_device.tensor_split(number)
        for host_index, index in zip(*parts, strict=True):
            yield self._select(host_index, index)

    def _select(self, host_index: Tensor, index: Tensor) -> Chunks:
        """Some chunks, by the same index on the host and on the device."""

        def select(tensors: tuple[Tensor, ...]) -> list[Tensor]:
            return [tensor.index_select(1, index) for tensor in tensors]

        moa_targets, symbol_head = self.moa_targets, self.symbol_head
        return Chunks(
            pixels=self.pixels.index_select(1, index),
            is_first_host=self.is_first_host.index_select(1, host_index),
            is_first=self.is_first.index_select(1, index),
            actions=self.actions.index_select(1, index),
            state=self.state.index_select(0, index),
            action_head=HeadSamples(*select(self.action_head)),
            moa_targets=None if moa_targets is None else MoaTargets(*select(moa_targets)),
            symbols=None if self.symbols is None else self.symbols.index_select(1, index),
            symbol_head=None if symbol_head is None else HeadSamples(*select(symbol_head)),
        )


def split_time(sequence: Tensor, length: int, overlap: int = 0) -> Tensor:
    """[L + overlap, B, …] → [length + overlap, (L / length) · B, …]: chunks, side by side.

    Args:
        sequence: Time first, then games.
        length: C, which divides L.
        overlap: Last steps of each chunk that are also the first steps of the next.
    """
    steps = len(sequence) - overlap
    pieces = [sequence[begin : begin + length + overlap] for begin in range(0, steps, length)]
    return torch.cat(pieces, 1) if len(pieces) > 1 else pieces[0]


def concatenate(several: Sequence[Chunks]) -> Chunks:
    """The chunks of several batches of one agent, side by side."""
    first, *rest = several
    if not rest:
        return first

    def side_by_side(parts: Sequence[tuple[Tensor, ...] | None]) -> list[Tensor]:
        present = [part for part in parts if part is not None]
        return [torch.cat(tensors, 1) for tensors in zip(*present, strict=True)]

    symbols = [of.symbols for of in several if of.symbols is not None]
    action_heads = side_by_side([of.action_head for of in several])
    moa_targets = side_by_side([of.moa_targets for of in several])
    symbol_heads = side_by_side([of.symbol_head for of in several])
    return Chunks(
        pixels=torch.cat([of.pixels for of in several], 1),
        is_first_host=torch.cat([of.is_first_host for of in several], 1),
        is_first=torch.cat([of.is_first for of in several], 1),
        actions=torch.cat([of.actions for of in several], 1),
        state=torch.cat([of.state for of in several]),
        action_head=HeadSamples(*action_heads),
        moa_targets=MoaTargets(*moa_targets) if moa_targets else None,
        symbols=torch.cat(symbols, 1) if symbols else None,
        symbol_head=HeadSamples(*symbol_heads) if symbol_heads else None,
    )
