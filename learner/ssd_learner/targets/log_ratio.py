"""The log-ratio of the policy that learns to the policy that acted."""

from __future__ import annotations

from torch import Tensor

from ssd_learner.segments.batch import Batch

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


def joint_log_ratio(batch: Batch, log_prob: Tensor, symbol_log_prob: Tensor | None) -> Tensor:
    """[T, B] `log_ratio` of an agent's action and symbol together: later steps depend on both.

    Args:
        batch: Has their log-probabilities under the policy that acted.
        log_prob: [T, B] of the action under the policy that learns.
        symbol_log_prob: [T, B] of the symbol, likewise; None without communication.
    """
    behaviour = batch.log_prob
    if symbol_log_prob is not None and batch.symbol_log_prob is not None:
        log_prob, behaviour = log_prob + symbol_log_prob, behaviour + batch.symbol_log_prob
    return log_ratio(log_prob, behaviour)
