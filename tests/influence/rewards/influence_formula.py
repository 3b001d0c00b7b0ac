"""The influence reward in torch, in log space and float64: the reference for the kernels.

It is held to the paper's sums in probabilities by `test_influence.py`. Those underflow for extreme
logits, and this does not.
"""

import math

import torch
from torch import Tensor


def influence_formula(
    counterfactual_logits: Tensor,
    policy_logits: Tensor,
    choice: Tensor,
    counted: Tensor,
    divergence: str,
    next_actions: Tensor,
) -> Tensor:
    """Equation 1: Σⱼ D(p(aʲ | aᵏ, s), Σ_ã π(ã | s) p(aʲ | ã, s)), [B].

    Args:
        counterfactual_logits: [B, C, J, A].
        policy_logits: [B, C].
        choice: [B] integer, which of the C agent k chose.
        counted: [B, J] bool.
        divergence: "kl", "jsd" or "pmi".
        next_actions: [B, J] integer.
    """
    log_p = counterfactual_logits.double().log_softmax(-1)  # [B, C, J, A]
    log_policy = policy_logits.double().log_softmax(-1)[:, :, None, None]  # [B, C, 1, 1]
    log_marginal = (log_policy + log_p).logsumexp(1)  # [B, J, A]
    log_conditional = log_p[torch.arange(len(choice)), choice.long()]  # [B, J, A]
    by_agent = DIVERGENCES[divergence](log_conditional, log_marginal, next_actions.long())
    return (by_agent * counted).sum(-1)


def kl(log_p: Tensor, log_q: Tensor, _next_actions: Tensor) -> Tensor:
    """Σ p (log p − log q), over the last axis."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def jsd(log_p: Tensor, log_q: Tensor, next_actions: Tensor) -> Tensor:
    """½ KL[p ‖ m] + ½ KL[q ‖ m] with m = ½ (p + q), base e."""
    log_middle = torch.logaddexp(log_p, log_q) - math.log(2)
    return (kl(log_p, log_middle, next_actions) + kl(log_q, log_middle, next_actions)) / 2


def pmi(log_p: Tensor, log_q: Tensor, next_actions: Tensor) -> Tensor:
    """Equation 7: log p[aʲ] − log q[aʲ]."""
    return (log_p - log_q).gather(-1, next_actions.unsqueeze(-1)).squeeze(-1)


DIVERGENCES = {"kl": kl, "jsd": jsd, "pmi": pmi}
