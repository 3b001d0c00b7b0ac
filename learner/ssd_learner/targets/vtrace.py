"""V-trace: n-step returns that stay right when the actor's policy lags behind the learner's.

Espeholt et al., *IMPALA: Scalable Distributed Deep-RL with Importance Weighted Actor-Learner
Architectures* (2018), section 4.1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ssd_learner.targets.discounted_sum import backward_sums


class Targets(NamedTuple):
    """What an update aims at; both [T, B] float32, no gradient."""

    value: Tensor  # v_t
    advantage: Tensor  # ρ_t · (r_t + γ_t · v_{t+1} − V(s_t))


@torch.no_grad()
def vtrace(
    log_ratio_t: Tensor,
    reward_t: Tensor,
    discount_t: Tensor,
    value_t: Tensor,
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
) -> Targets:
    """V-trace targets and policy-gradient advantages.

    With ρ_t = min(ρ̄, π/μ), c_t = min(c̄, π/μ) and δ_t = ρ_t · (r_t + γ_t V(s_{t+1}) − V(s_t)):

        v_t = V(s_t) + δ_t + γ_t c_t · (v_{t+1} − V(s_{t+1}))

    On policy, with both clips at least 1, v_t is the n-step return up to the segment's end.

    Args:
        log_ratio_t: [T, B] log π(a_t) − log μ(a_t), the learner's policy over the actor's.
        reward_t: [T, B].
        discount_t: [T, B] γ, and 0 where the episode ended with a_t.
        value_t: [T + 1, B] the learner's V(s_t); the last bootstraps.
        rho_clip: ρ̄.
        c_clip: c̄.

    Returns:
        Targets, [T, B] each.
    """
    ratio = log_ratio_t.exp()
    rho = ratio.clamp(max=rho_clip)
    trace = discount_t * ratio.clamp(max=c_clip)
    delta = rho * (reward_t + discount_t * value_t[1:] - value_t[:-1])
    target_t = value_t.clone()
    target_t[:-1] += backward_sums(delta, trace)
    advantage = rho * (reward_t + discount_t * target_t[1:] - value_t[:-1])
    return Targets(target_t[:-1], advantage)
