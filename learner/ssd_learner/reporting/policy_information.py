"""How much an agent's actions depend on its observations."""

from __future__ import annotations

from torch import Tensor

from ssd_learner.entropy import entropy


def policy_information(log_policy: Tensor) -> Tensor:
    """Mutual information of observation and action, in nats: H(mean π) − mean H(π).

    It is 0 for an agent whose action distribution does not depend on the observation. New agents
    are like that, and so are agents whose LSTM gates have saturated.

    Args:
        log_policy: [..., X] log-probabilities of X actions, over the steps of a batch.

    Returns:
        [] at least 0, at most log X.
    """
    log_policy = log_policy.flatten(0, -2)
    marginal = log_policy.exp().mean(0)
    return entropy(marginal.log()) - entropy(log_policy).mean()
