"""Targets of one size for a critic, whatever the rewards are (PopArt).

The value head learns targets of mean 0 and deviation 1. When the estimates of the true mean and
deviation move, the head's weights are changed so that its values stay what they were.

Van Hasselt et al., *Learning values across many orders of magnitude* (2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

RATE = 0.2  # weight of the newest batch in the running estimates
SMALLEST = 1e-2  # deviation that the targets are divided by, at least


class ValueScale:
    """Mean and deviation of one value head's targets.

    Args:
        head: The head: the last layer before the value.

    Attributes:
        mean, square: [] float32 running means of targets and of their squares, on the device.
        batches: [] float32 how many batches these are from, with the weight of each.
    """

    def __init__(self, head: nn.Linear) -> None:
        self._head = head
        self.mean = torch.zeros((), device=head.weight.device)
        self.square = torch.ones((), device=head.weight.device)
        self.batches = torch.zeros((), device=head.weight.device)

    @property
    def deviation(self) -> Tensor:
        """[] of the targets."""
        return (self.square - self.mean.square()).clamp(min=SMALLEST**2).sqrt()

    def values(self, output: Tensor) -> Tensor:
        """What the head's output means in rewards."""
        return output * self.deviation + self.mean

    def targets(self, value: Tensor) -> Tensor:
        """What the head should put out for a value in rewards."""
        return (value - self.mean) / self.deviation

    @torch.no_grad()
    def update(self, value: Tensor) -> None:
        """Take in a batch of targets; values stay what they were."""
        before, middle = self.deviation, self.mean.clone()
        self.batches = (1 - RATE) * self.batches + RATE
        share = RATE / self.batches
        self.mean = torch.lerp(self.mean, value.mean(), share)
        self.square = torch.lerp(self.square, value.square().mean(), share)
        self._head.weight.mul_(before / self.deviation)
        bias = self._head.bias
        bias.mul_(before).add_(middle - self.mean).div_(self.deviation)

    def state(self) -> Tensor:
        """[3] float32: what `restore` takes."""
        return torch.stack([self.mean, self.square, self.batches])

    def restore(self, state: Tensor) -> None:
        """Become the one that gave this state."""
        self.mean, self.square, self.batches = state.to(self.mean.device).unbind()
