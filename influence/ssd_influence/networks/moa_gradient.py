"""How strongly the MOA's gradient acts on layers that the MOA shares with the policy.

`moa_weight` multiplies the gradient of the model of other agents (MOA) where it enters the shared
layers, on its way back. The MOA's own weights learn from the gradient as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear


class ScaleGradient(torch.autograd.Function):
    """Identity; multiplies the gradient."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, factor: float) -> Tensor:
        """The same features."""
        ctx.factor = factor
        return features.view_as(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_features: Tensor) -> tuple[Tensor, None]:
        """The gradient, multiplied."""
        return ctx.factor * d_features, None


def scale_gradient(features: Tensor, factor: float) -> Tensor:
    """The same features, whose gradient is multiplied by `factor`.

    For custom networks: the MOA's part of `AgentNetwork.features` reads shared features through
    this, with `moa_weight` as the factor.

    Args:
        features: any shape, float.
        factor: at least 0.
    """
    return ScaleGradient.apply(features, factor)  # type: ignore[no-any-return, no-untyped-call]


class LinearWithScaledGradient(torch.autograd.Function):
    """A dense layer whose inputs get another gradient than its weights."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, factors: Tensor) -> Tensor:
        """[M, D]."""
        ctx.save_for_backward(inputs, weight, factors)
        return linear(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradients of inputs, weight and bias."""
        inputs, weight, factors = ctx.saved_tensors
        d_inputs = d_out.mm(scale_rows(weight, factors))
        return d_inputs, d_out.t().mm(inputs), d_out.sum(0), None


def linear_with_scaled_gradient(
    inputs: Tensor, weight: Tensor, bias: Tensor, factors: Tensor
) -> Tensor:
    """A dense layer, in which the gradient of output d is multiplied on its way to the inputs.

    In place of the gradient of all M rows, the weights are scaled, which are far fewer numbers.

    Args:
        inputs: [M, I] float.
        weight: [D, I] float.
        bias: [D] float.
        factors: [D] float.

    Returns:
        [M, D]. The gradients of weight and bias are not scaled.
    """
    arguments = inputs, weight, bias, factors
    return LinearWithScaledGradient.apply(*arguments)  # type: ignore[no-any-return, no-untyped-call]


def scale_rows(weight: Tensor, factors: Tensor) -> Tensor:
    """Row d of a weight [D, I] times factors[d], in the weight's dtype."""
    return (factors.unsqueeze(-1) * weight).to(weight.dtype)
