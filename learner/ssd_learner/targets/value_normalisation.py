"""Normalised value targets, whatever the size of the rewards (PopArt).

A value head learns targets of mean 0 and deviation 1. When the running mean and deviation change,
the head's weights are rescaled so that its denormalised values stay the same.

Van Hasselt et al., *Learning values across many orders of magnitude* (2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STEP_SIZE = 0.2  # weight of the newest batch in the running statistics
MIN_DEVIATION = 1e-2  # targets are divided by at least this


class ValueNormaliser:
    """Running mean and deviation of the targets of one value head.

    The variance is a difference of two means, which cancel where the mean is much larger than the
    deviation. All statistics are float64, so that it is right up to a mean of 100,000 deviations.

    Args:
        head: The last layer before the value.

    Attributes:
        mean, mean_square: [] float64 running means of the targets and of their squares, on the
            device.
        total_weight: [] float64 sum of the weights of all batches so far.
    """

    def __init__(self, head: nn.Linear) -> None:
        self._head = head
        statistics = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
        self.mean, self.mean_square, self.total_weight = statistics.to(head.weight.device).unbind()

    @property
    def deviation(self) -> Tensor:
        """[] float64 standard deviation of the targets."""
        return (self.mean_square - self.mean.square()).clamp(min=MIN_DEVIATION**2).sqrt()

    def denormalise(self, output: Tensor) -> Tensor:
        """Values in units of reward, from outputs of the head."""
        return output * self.deviation + self.mean

    def normalise(self, target: Tensor) -> Tensor:
        """Targets for the head's output, from targets in units of reward."""
        return ((target.double() - self.mean) / self.deviation).to(target.dtype)

    @torch.no_grad()
    def update(self, target: Tensor) -> None:
        """Include a batch of targets in the statistics, and rescale the head accordingly."""
        old_deviation, old_mean, target = self.deviation, self.mean, target.double()
        self.total_weight = (1 - STEP_SIZE) * self.total_weight + STEP_SIZE
        step = STEP_SIZE / self.total_weight
        self.mean = torch.lerp(self.mean, target.mean(), step)
        self.mean_square = torch.lerp(self.mean_square, target.square().mean(), step)
        self._head.weight.mul_(old_deviation / self.deviation)
        bias = self._head.bias
        bias.copy_((bias.double() * old_deviation + old_mean - self.mean) / self.deviation)

    def state(self) -> Tensor:
        """[3] float64: the argument of `restore`."""
        return torch.stack([self.mean, self.mean_square, self.total_weight])

    def restore(self, state: Tensor) -> None:
        """Set the statistics to those that `state` returned; older checkpoints have float32."""
        statistics = state.to(self.mean.device, torch.float64)
        self.mean, self.mean_square, self.total_weight = statistics.unbind()
