"""The entropy of a policy, which may forbid actions."""

from __future__ import annotations

from torch import Tensor

LOWEST_LOG_PROB = -1000.0
"""Its probability is 0 in float32 and in float64, so whatever is lower has the same term: 0."""


def entropy(log_policy: Tensor) -> Tensor:
    """H(π) = −Σ_a π(a) log π(a), in nats.

    The term of an action of probability 0 is 0, the limit of p log p, and it has no gradient. A
    custom network may forbid an action by a logit of −∞; 0 · (−∞) would be NaN.

    Args:
        log_policy: [..., X] log-probabilities of X actions or symbols.

    Returns:
        [...] at least 0, at most log X.
    """
    return -(log_policy.exp() * log_policy.clamp(min=LOWEST_LOG_PROB)).sum(-1)
