"""Sums over the future, for all steps at once."""

from __future__ import annotations

from torch import Tensor


def backward_sums(x_t: Tensor, decay_t: Tensor) -> Tensor:
    """y_t = x_t + decay_t · y_{t+1}, with y_T = 0.

    After k doublings each y_t holds the 2ᵏ terms that are nearest to it, so T steps take log₂ T
    operations on whole arrays instead of T on single rows.

    Args:
        x_t: [T, B] float.
        decay_t: [T, B] float.

    Returns:
        [T, B].
    """
    y, decay, near = x_t.clone(), decay_t.clone(), 1
    while near < len(y):
        y[:-near] += decay[:-near] * y[near:].clone()
        decay[:-near] *= decay[near:].clone()
        near *= 2
    return y
