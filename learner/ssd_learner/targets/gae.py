"""Generalised advantage estimation (GAE).

Schulman et al., *High-Dimensional Continuous Control Using Generalized Advantage Estimation*
(2016).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssd_learner.targets.discounted_sum import discounted_sum
from ssd_learner.targets.estimates import Estimates


@torch.no_grad()
def gae(reward_t: Tensor, discount_t: Tensor, value_t: Tensor, gae_lambda: float) -> Estimates:
    """Advantages and λ-returns.

    With δ_t = r_t + γ_t V(s_{t+1}) − V(s_t):

        Â_t = δ_t + γ_t λ Â_{t+1}        and the λ-return is Â_t + V(s_t)

    With λ = 1 the λ-return is the discounted sum of all rewards up to the last step, and the
    discounted value of the view after it.

    Args:
        reward_t: [T, B].
        discount_t: [T, B] γ, and 0 where the episode ended with a_t.
        value_t: [T+1, B] V(s_t); the last one bootstraps.
        gae_lambda: λ.
    """
    delta_t = reward_t + discount_t * value_t[1:] - value_t[:-1]
    advantage_t = discounted_sum(delta_t, gae_lambda * discount_t)
    return Estimates(advantage_t, advantage_t + value_t[:-1], advantage_t)
