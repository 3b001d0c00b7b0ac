"""A batch: segments as tensors on the learner's device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssd_wire.messages import Segment

Array = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Batch:
    """T steps of B games, from one or more segments.

    Attributes:
        pixels: [T+1, B, W, W] uint8 palette indices.
        is_first_host: [T+1, B] bool, whether an episode starts here; on the host, only to decide
            where sequences are cut.
        is_first: the same on the device.
        visible: [T+1, B, N] bool.
        actions: [T+2, B, N] long, a_{−1} … a_T.
        log_prob: [T, B] float32 of the agent's own action when it acted.
        reward: [T, B] float32, e_t.
        influence: [T, B] float32, c_t in nats.
        state: [B, S] float32, recurrent state before step 0.
        symbols: [T+1, B, N] long, m_{−1} … m_{T−1}; None without communication.
        symbol_log_prob: [T, B] float32 of the agent's own symbol when it chose it; None without
            communication.
        shaped_reward: [T, B] float32, takes the place of e_t where the experiment has a reward
            scheme; None without one.
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
    def own_steps(self) -> int:
        """Own-steps in this batch: T·B."""
        return self.reward.numel()

    def split_games(self, max_games: int) -> Iterator[Batch]:
        """Batches of at most `max_games` games each, as few and as equal as possible; no copies."""
        parts = -(-self.reward.shape[1] // max_games)
        pieces = {
            field.name: tensor.tensor_split(parts, _games_axis(field.name))
            for field in fields(self)
            if (tensor := getattr(self, field.name)) is not None
        }
        for number in range(parts):
            yield Batch(**{name: piece[number] for name, piece in pieces.items()})


def _games_axis(name: str) -> int:
    return 0 if name == "state" else 1


def stack_games(segments: Sequence[Segment], device: torch.device) -> Batch:
    """A batch of segments of equal length: the games of all of them, side by side."""

    def stacked(name: str) -> Array:
        arrays = [getattr(segment, name) for segment in segments]
        return np.concatenate(arrays, _games_axis(name))

    return _to_device(stacked, segments[0], device)


def concatenate_time(segments: Sequence[Segment], device: torch.device) -> Batch:
    """A batch of consecutive segments of the same games, one after the other in time."""
    first, *rest = segments

    def concatenated(name: str) -> Array:
        if name == "state":
            return first.state.copy()  # arrays from the wire are read-only
        overlap = len(getattr(first, name)) - len(first.reward)
        later = (getattr(segment, name)[overlap:] for segment in rest)
        return np.concatenate([getattr(first, name), *later])

    return _to_device(concatenated, first, device)


def _to_device(array: Callable[[str], Array], like: Segment, device: torch.device) -> Batch:
    """The batch of the arrays that `array` gives by name, copied without waiting.

    Args:
        array: Makes the array of a field's name.
        like: A segment with the same optional fields.
        device: Where the batch goes.
    """

    def on_host(name: str) -> Tensor:
        tensor = torch.from_numpy(array(name))
        return tensor.pin_memory() if device.type == "cuda" else tensor

    def on_device(name: str) -> Tensor:
        return on_host(name).to(device, non_blocking=True)

    def optional(name: str) -> Tensor | None:
        return None if getattr(like, name) is None else on_device(name)

    is_first, symbols = on_host("is_first"), optional("symbols")
    return Batch(
        pixels=on_device("pixels"),
        is_first_host=is_first,
        is_first=is_first.to(device, non_blocking=True),
        visible=on_device("visible"),
        actions=on_device("actions").long(),
        log_prob=on_device("log_prob"),
        reward=on_device("reward"),
        influence=on_device("influence"),
        state=on_device("state"),
        symbols=None if symbols is None else symbols.long(),
        symbol_log_prob=optional("symbol_log_prob"),
        shaped_reward=optional("shaped_reward"),
    )
