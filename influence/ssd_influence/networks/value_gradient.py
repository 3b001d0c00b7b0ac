"""A limit on how much a critic's gradient may change layers that it shares with a policy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class LimitValueGradient(torch.autograd.Function):
    """Identity for a policy and its critic; scales down the critic's gradient.

    A policy and its critic share features. The critic's errors can be a hundred times larger, and
    would then shape the features alone. This scales the critic's gradient so that its norm is at
    most `limit` times the norm of the policy's. Its direction stays.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, limit: float) -> tuple[Tensor, Tensor]:
        """The same features, once for the policy and once for the critic."""
        ctx.limit = limit
        return features.view_as(features), features.view_as(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_policy: Tensor, d_value: Tensor) -> tuple[Tensor, None]:
        """The sum of both gradients, the critic's scaled."""
        allowed = ctx.limit * d_policy.norm()
        scale = (allowed / d_value.norm().clamp(min=1e-30)).clamp(max=1.0)
        return torch.addcmul(d_policy, d_value, scale), None


def limit_value_gradient(features: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """Features for a policy, and the same features for its critic, with a limited gradient.

    Args:
        features: any shape, float.
        limit: largest norm of the critic's gradient, relative to the policy's; infinity for no
            limit.
    """
    if limit == float("inf") or not features.requires_grad:
        return features, features
    return LimitValueGradient.apply(features, limit)  # type: ignore[no-any-return, no-untyped-call]
