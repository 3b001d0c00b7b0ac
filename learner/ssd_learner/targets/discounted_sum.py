"""Discounted sums over all later steps, computed for every step at once."""

from __future__ import annotations

from torch import Tensor


def discounted_sum(x_t: Tensor, discount_t: Tensor) -> Tensor:
    """y_t = x_t + discount_t · y_{t+1}, with y_T = 0.

    After k doublings each y_t holds its 2ᵏ nearest terms. T steps thus take log₂ T operations on
    whole arrays instead of T operations on single rows.

    Args:
        x_t: [T, B] float.
        discount_t: [T, B] float.

    Returns:
        [T, B].
    """
    y, discount, span = x_t.clone(), discount_t.clone(), 1
    while span < len(y):
        y[:-span] += discount[:-span] * y[span:].clone()
        discount[:-span] *= discount[span:].clone()
        span *= 2
    return y
