"""V-trace: n-step returns corrected for the lag between the acting and the learning policy.

Espeholt et al., *IMPALA: Scalable Distributed Deep-RL with Importance Weighted Actor-Learner
Architectures* (2018), section 4.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssd_learner.targets.discounted_sum import discounted_sum
from ssd_learner.targets.estimates import Estimates


@torch.no_grad()
def vtrace(
    log_ratio_t: Tensor,
    reward_t: Tensor,
    discount_t: Tensor,
    value_t: Tensor,
    rho_clip: float = 1.0,
    c_clip: float = 1.0,
    *,
    weighted: bool = True,
) -> Estimates:
    """V-trace targets v_t, and advantages towards them.

    With ρ_t = min(ρ̄, π/μ), c_t = min(c̄, π/μ) and δ_t = ρ_t · (r_t + γ_t V(s_{t+1}) − V(s_t)):

        v_t = V(s_t) + δ_t + γ_t c_t · (v_{t+1} − V(s_{t+1}))
        Â_t = ρ_t · (r_t + γ_t v_{t+1} − V(s_t))

    On policy, with both clips at least 1, v_t is the n-step return up to the last step.

    Args:
        log_ratio_t: [T, B] log π(a_t) − log μ(a_t): the learner's policy over the actor's.
        reward_t: [T, B].
        discount_t: [T, B] γ, and 0 where the episode ended with a_t.
        value_t: [T+1, B] the learner's V(s_t); the last one bootstraps.
        rho_clip: ρ̄.
        c_clip: c̄.
        weighted: Whether advantages contain ρ_t. PPO's loss already multiplies them by π/μ, so
            there they must not.
    """
    ratio_t = log_ratio_t.exp()
    rho_t = ratio_t.clamp(max=rho_clip)
    trace_t = discount_t * ratio_t.clamp(max=c_clip)
    delta_t = rho_t * (reward_t + discount_t * value_t[1:] - value_t[:-1])
    error_t = discounted_sum(delta_t, trace_t)
    target_t = value_t.clone()
    target_t[:-1] += error_t
    advantage_t = reward_t + discount_t * target_t[1:] - value_t[:-1]
    return Estimates(rho_t * advantage_t if weighted else advantage_t, target_t[:-1], error_t)
