"""The log-ratio of the policy that learns to the policy that acted."""

from __future__ import annotations

from torch import Tensor

LARGEST_LOG_RATIO = 20.0
"""e²⁰ is far beyond every clip of a ratio. Without a limit, a log-probability of −100 in a segment
would give a ratio, and so a loss, that is infinite."""


def log_ratio(log_policy_t: Tensor, log_behaviour_t: Tensor) -> Tensor:
    """Log π(a_t) − log μ(a_t), at most `LARGEST_LOG_RATIO`, where it has no gradient.

    Args:
        log_policy_t: log-probability of what was chosen, under the policy that learns.
        log_behaviour_t: of the same shape, under the policy that acted.
    """
    return (log_policy_t - log_behaviour_t).clamp(max=LARGEST_LOG_RATIO)
