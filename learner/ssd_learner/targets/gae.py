"""Generalised advantage estimation: returns that trade the critic's bias for their own noise.

Schulman et al., *High-Dimensional Continuous Control Using Generalized Advantage Estimation*
(2016).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ssd_learner.targets.discounted_sum import backward_sums


class Estimates(NamedTuple):
    """What a batch's rewards say of its actions and views; both [T, B] float, no gradient."""

    advantage: Tensor
    value: Tensor  # the λ-return, which the critic learns


@torch.no_grad()
def gae(reward_t: Tensor, discount_t: Tensor, value_t: Tensor, gae_lambda: float) -> Estimates:
    """Advantages and λ-returns.

    With δ_t = r_t + γ_t V(s_{t+1}) − V(s_t):

        Â_t = δ_t + γ_t λ Â_{t+1}        and the λ-return is Â_t + V(s_t)

    With λ = 1 it is the discounted sum of all rewards up to the last step, and γ V there.

    Args:
        reward_t: [T, B].
        discount_t: [T, B] γ, and 0 where the episode ended with a_t.
        value_t: [T + 1, B] V(s_t); the last bootstraps.
        gae_lambda: λ.
    """
    delta = reward_t + discount_t * value_t[1:] - value_t[:-1]
    advantage = backward_sums(delta, gae_lambda * discount_t)
    return Estimates(advantage, advantage + value_t[:-1])
