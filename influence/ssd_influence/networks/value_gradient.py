"""Who shapes layers that several losses share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class BoundedPull(torch.autograd.Function):
    """One input for two readers, of which the second may not pull harder than the first.

    A policy and its critic read the same features. The critic's errors can be a hundred times
    larger, and would then shape the features alone. Here its gradient is cut so that its norm is
    at most `bound` times the norm of the policy's; its direction stays.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, bound: float) -> tuple[Tensor, Tensor]:
        """The same features for both readers."""
        ctx.bound = bound
        return features.view_as(features), features.view_as(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_first: Tensor, d_second: Tensor) -> tuple[Tensor, None]:
        """The sum of both, the second cut."""
        allowed = ctx.bound * d_first.norm()
        share = (allowed / d_second.norm().clamp(min=1e-30)).clamp(max=1.0)
        return torch.addcmul(d_first, d_second, share), None


def bounded_pull(features: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Features for a policy, and the same for its critic, whose pull on them has a bound.

    Args:
        features: any shape, float.
        bound: largest norm of the critic's gradient, in norms of the policy's; infinity for none.
    """
    if bound == float("inf") or not features.requires_grad:
        return features, features
    return BoundedPull.apply(features, bound)  # type: ignore[no-any-return, no-untyped-call]
