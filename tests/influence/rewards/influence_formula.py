"""The influence reward in torch, in log space: what the kernels are held to."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ssd_influence.settings import Divergence


def influence_reward(
    counterfactual_logits: Tensor,
    policy_logits: Tensor,
    action: Tensor,
    visible: Tensor,
    divergence: Divergence,
    next_actions: Tensor | None = None,
) -> Tensor:
    """The reward cᵏ of what agent k did or said at t, in nats, summed over the agents that count.

    Args:
        counterfactual_logits: [B, C, J, A] of the action of j that k may have moved, had k chosen
            each of C alternatives: its actions, or its symbols.
        policy_logits: [B, C] the policy π, or π_m, that k chose from at t.
        action: [B] integer, which of the C it chose.
        visible: [B, J] bool, whom to count: by a model, those that k saw in s_t.
        divergence: "kl", "jsd" (base e) or "pmi".
        next_actions: [B, J] integer, what each other agent really did; only PMI asks for it.

    Returns:
        [B] not clipped. By KL at least 0, and at most −log π(aᵏ | s) for each agent seen; by JSD
        at least 0 and at most log 2 for each; by PMI also negative.

    Raises:
        ValueError: PMI without the next actions.
    """
    log_p = _log_normalised(counterfactual_logits)  # [B, C, J, A]
    log_policy = _log_normalised(policy_logits)[:, :, None, None]  # [B, C, 1, 1]
    log_marginal = (log_policy + log_p).logsumexp(1)  # [B, J, A]
    each = torch.arange(len(action), device=action.device)
    log_conditional = log_p[each, action.long()]  # [B, J, A]
    if divergence == "pmi":
        if next_actions is None:
            raise ValueError("PMI compares what was done at t+1: it needs next_actions")
        moved = pmi(log_conditional, log_marginal, next_actions)
    else:
        moved = DIVERGENCES[divergence](log_conditional, log_marginal)
    return (moved * visible).sum(-1)


def kl(log_conditional: Tensor, log_marginal: Tensor) -> Tensor:
    """KL[conditional ‖ marginal] over the last axis: [..., A] twice → [...]."""
    return (log_conditional.exp() * (log_conditional - log_marginal)).sum(-1)


def jsd(log_conditional: Tensor, log_marginal: Tensor) -> Tensor:
    """½ KL[p ‖ m] + ½ KL[q ‖ m] with m = ½ (p + q), base e: [..., A] twice → [...]."""
    log_middle = torch.logaddexp(log_conditional, log_marginal) - math.log(2)
    return (kl(log_conditional, log_middle) + kl(log_marginal, log_middle)) / 2


def pmi(log_conditional: Tensor, log_marginal: Tensor, next_actions: Tensor) -> Tensor:
    """Equation 7: log conditional[aʲ] − log marginal[aʲ]; [..., A] twice and [...] → [...]."""
    ratio = log_conditional - log_marginal
    return ratio.gather(-1, next_actions.long().unsqueeze(-1)).squeeze(-1)


DIVERGENCES: dict[Divergence, Callable[[Tensor, Tensor], Tensor]] = {"kl": kl, "jsd": jsd}


def _log_normalised(logits: Tensor) -> Tensor:
    """log_softmax over the last axis, at a fifth of its price where that axis is short."""
    logits = logits - logits.amax(-1, keepdim=True)
    return logits - logits.exp().sum(-1, keepdim=True).log_()
