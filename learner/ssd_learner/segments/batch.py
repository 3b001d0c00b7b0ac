"""Segments, as they came off the wire, made into one batch of tensors on the learner's device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssd_wire.messages import Segment

Array = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Batch:
    """T steps of B games, side by side from one or more segments.

    Attributes:
        pixels: [T+1, B, W, W] uint8 palette indices.
        is_first_host: [T+1, B] bool, on the host: where episodes start decides how to cut.
        is_first: the same on the device.
        visible: [T+1, B, N] bool.
        actions: [T+2, B, N] long, a_{−1} … a_T.
        log_prob: [T, B] float32 of the agent's own action when it acted.
        reward: [T, B] float32, e_t.
        influence: [T, B] float32, c_t in nats.
        state: [B, S] float32, recurrent state before step 0.
        symbols: [T+1, B, N] long, m_{−1} … m_{T−1}; None where nobody speaks.
        symbol_log_prob: [T, B] float32 of the agent's own symbol when it spoke; None as well.
        shaped_reward: [T, B] float32, in the place of e_t; None where e_t has its place.
    """

    pixels: Tensor
    is_first_host: Tensor
    is_first: Tensor
    visible: Tensor
    actions: Tensor
    log_prob: Tensor
    reward: Tensor
    influence: Tensor
    state: Tensor
    symbols: Tensor | None = None
    symbol_log_prob: Tensor | None = None
    shaped_reward: Tensor | None = None

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
    """One batch of segments of equal shape, games side by side, copied without waiting."""
    return _batch(
        lambda name: np.concatenate(
            [getattr(segment, name) for segment in segments], 0 if name == "state" else 1
        ),
        segments[0],
        device,
    )


def join(segments: Sequence[Segment], device: torch.device) -> Batch:
    """One batch of segments of the same games, each of which goes on where the last one ended."""
    first, *rest = segments

    def one_after_the_other(name: str) -> Array:
        if name == "state":
            return first.state.copy()  # what comes off the wire cannot be written to
        told_before = len(getattr(first, name)) - len(first.reward)  # by the segment before
        return np.concatenate(
            [getattr(first, name), *(getattr(one, name)[told_before:] for one in rest)]
        )

    return _batch(one_after_the_other, first, device)


def streams(segments: Iterable[Segment]) -> list[list[Segment]]:
    """Segments in their order, each beside those that it goes on from: what `join` can take.

    A lane's next segment does not go on from the last where its environment was started anew.
    """
    lanes: dict[tuple[int, int], list[list[Segment]]] = {}
    for segment in segments:
        of_lane = lanes.setdefault((segment.epoch, segment.lane), [])
        if of_lane and _goes_on(of_lane[-1][-1], segment):
            of_lane[-1].append(segment)
        else:
            of_lane.append([segment])
    return [stream for of_lane in lanes.values() for stream in of_lane]


def _goes_on(before: Segment, after: Segment) -> bool:
    """Whether the last view of one segment is the first of the other."""
    return all(
        np.array_equal(getattr(before, name)[steps:], getattr(after, name)[: 1 + extra])
        for name, steps, extra in (("is_first", -1, 0), ("pixels", -1, 0), ("actions", -2, 1))
    )


def _batch(whole: Callable[[str], Array], like: Segment, device: torch.device) -> Batch:
    """Each array by its name, on the device, and those that are missing left out."""

    def here(name: str) -> Tensor:
        tensor = torch.from_numpy(whole(name))
        return tensor.pin_memory() if device.type == "cuda" else tensor

    def there(name: str) -> Tensor:
        return here(name).to(device, non_blocking=True)

    def there_if_any(name: str) -> Tensor | None:
        return None if getattr(like, name) is None else there(name)

    is_first, symbols = here("is_first"), there_if_any("symbols")
    return Batch(
        pixels=there("pixels"),
        is_first_host=is_first,
        is_first=is_first.to(device, non_blocking=True),
        visible=there("visible"),
        actions=there("actions").long(),
        log_prob=there("log_prob"),
        reward=there("reward"),
        influence=there("influence"),
        state=there("state"),
        symbols=None if symbols is None else symbols.long(),
        symbol_log_prob=there_if_any("symbol_log_prob"),
        shaped_reward=there_if_any("shaped_reward"),
    )
