"""How much of what an agent does depends on what it sees."""

from __future__ import annotations

from torch import Tensor


def policy_information(log_policy: Tensor) -> Tensor:
    """Mutual information of an agent's inputs and its action, in nats: H(mean π) − mean H(π).

    0 is a blind agent: it acts from the same distribution whatever it sees. That is how every agent
    begins, and what becomes of one whose LSTM has its gates saturated.

    Args:
        log_policy: [..., X] log-probabilities of X actions, over the steps of a batch.

    Returns:
        [] at least 0, at most log X.
    """
    log_policy = log_policy.flatten(0, -2)
    policy = log_policy.exp()
    entropy = -(policy * log_policy).sum(-1).mean()
    habits = policy.mean(0)
    return -(habits * habits.clamp(min=1e-30).log()).sum() - entropy
