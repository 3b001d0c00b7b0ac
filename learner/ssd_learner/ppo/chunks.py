"""A batch in chunks of equal length, from all games and all phases of an episode, for PPO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Choices(NamedTuple):
    """What one head chose in M chunks of C steps, and what came of it; all [C, M]."""

    chosen: Tensor  # long
    log_prob: Tensor  # of it, when it was chosen
    advantage: Tensor
    target: Tensor  # of the value head's output


class Foreseen(NamedTuple):
    """What the others did next, and which of it counts; both [C, M, J]."""

    targets: Tensor  # long
    mask: Tensor  # bool


@dataclass(frozen=True, eq=False)
class Chunks:
    """M chunks of C steps each.

    Attributes:
        pixels: [C, M, W, W] uint8.
        is_first_host: [C, M] bool, on the host.
        actions: [C+1, M, N] long, a_{−1} … a_{C−1}.
        state: [M, S] recurrent state before each chunk.
        acting: of the policy.
        foreseen: what the model of others is to foresee; None without one.
        symbols: [C+1, M, N] long, m_{−1} … m_{C−1}; None where nobody speaks.
        speaking: of the communication head; None as well.
    """

    pixels: Tensor
    is_first_host: Tensor
    actions: Tensor
    state: Tensor
    acting: Choices
    foreseen: Foreseen | None = None
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
        def chosen(part: tuple[Tensor, ...]) -> list[Tensor]:
            return [of.index_select(1, device) for of in part]

        return Chunks(
            pixels=self.pixels.index_select(1, device),
            is_first_host=self.is_first_host.index_select(1, host),
            actions=self.actions.index_select(1, device),
            state=self.state.index_select(0, device),
            acting=Choices(*chosen(self.acting)),
            foreseen=None if self.foreseen is None else Foreseen(*chosen(self.foreseen)),
            symbols=None if self.symbols is None else self.symbols.index_select(1, device),
            speaking=None if self.speaking is None else Choices(*chosen(self.speaking)),
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
    """All chunks of several batches, of one agent."""
    first, *rest = several
    if not rest:
        return first

    def beside(parts: Sequence[tuple[Tensor, ...] | None]) -> list[Tensor]:
        there = [part for part in parts if part is not None]
        return [torch.cat(of, 1) for of in zip(*there, strict=True)]

    said = [of.symbols for of in several if of.symbols is not None]
    foreseen, speaking = ([getattr(of, n) for of in several] for n in ("foreseen", "speaking"))
    return Chunks(
        pixels=torch.cat([of.pixels for of in several], 1),
        is_first_host=torch.cat([of.is_first_host for of in several], 1),
        actions=torch.cat([of.actions for of in several], 1),
        state=torch.cat([of.state for of in several]),
        acting=Choices(*beside([of.acting for of in several])),
        foreseen=None if first.foreseen is None else Foreseen(*beside(foreseen)),
        symbols=torch.cat(said, 1) if said else None,
        speaking=None if first.speaking is None else Choices(*beside(speaking)),
    )
