"""The influence reward: how much the action, or symbol, of agent k changes what the others do.

With P[ã, j, ·] = p(aʲ | ã, s), the distribution of j's action had k chosen ã, and π the policy that
k acted from,

    conditional  P[aᵏ, j, ·]                  expected of j after what k chose
    marginal     Σ_ã π(ã | s) P[ã, j, ·]      expected of j before k chose

and the reward is c = Σⱼ D(conditional, marginal) over the agents that count (equation 1). P is what
the others disclose (§4), or what k's model of them predicts (§6). If influence is of symbols
(equation 2, §5), ã, aᵏ and π are m̃, mᵏ and π_m. All computation is in log space: finite logits give
finite rewards, and a NaN is never masked.
"""

from __future__ import annotations

import numpy as np

from ssd_influence.array_types import F32, I64, U8, Bools
from ssd_influence.inference.decision import Sample
from ssd_influence.kernels import divergences


def influence_reward(
    counterfactual_logits: F32,
    sample: Sample,
    counted: Bools,
    divergence: str,
    rows: I64,
    next_actions: U8 | None,
) -> F32:
    """The influence reward c of what agent k sampled at t, in R of B games; 0 in the others.

    Args:
        counterfactual_logits: [R, C, J · A] of the action of each other agent, had k chosen each of
            C alternatives: its actions, or its symbols. Overwritten with their log-softmax.
        sample: which of the C alternatives k chose, in all B games, and the logits it was sampled
            from. The logits are overwritten with their log-softmax.
        counted: [B, J] which of the others count; with a MOA, those that k saw in s_t.
        divergence: its name, see `kernels.divergences.DIVERGENCES`.
        rows: [R] indices of the games that the logits are of.
        next_actions: [B, J] the actions that those logits predict; None unless the divergence
            needs them.

    Returns:
        [B] float32 in nats, not clipped. With KL at least 0, and at most −log π(aᵏ | s) per agent;
        with JSD at least 0 and at most log 2 per agent; with PMI of either sign.

    Raises:
        ValueError: the divergence is unknown, or needs the next actions.
    """
    code, needs_next_actions = divergences.divergence_named(divergence)
    if next_actions is None:
        if needs_next_actions:
            raise ValueError(f"divergence {divergence!r} needs next_actions, found None")
        next_actions = np.zeros(counted.shape, np.uint8)
    reward = np.zeros(len(counted), np.float32)
    divergences.influence_reward(
        counterfactual_logits,
        sample.logits,
        sample.choice,
        counted,
        rows,
        code,
        next_actions,
        reward,
    )
    return reward
