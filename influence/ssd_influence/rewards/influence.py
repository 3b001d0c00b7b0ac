"""The influence reward: how far what agent k did, or said, moved the others.

With P[ã, j, ·] = p(aʲ | ã, s), what is to be expected of j had k taken ã, and π the policy k acted
from,

    conditional  P[aᵏ, j, ·]                  what to expect after what k did
    marginal     Σ_ã π(ã | s) P[ã, j, ·]      what to expect before it chose

and the reward is c = Σⱼ D(conditional, marginal) over the agents that count (equation 1). P is what
the others disclose (§4), or k's model of them says (§6); and where influence is that of symbols
(equation 2, §5), ã, aᵏ and π are m̃, mᵏ and π_m. All of it in log space: finite logits give finite
rewards, and nothing is masked away.
"""

from __future__ import annotations

import numpy as np

from ssd_influence.array_types import F32, I64, U8, Bools
from ssd_influence.inference.decision import Choice
from ssd_influence.kernels import divergences as divergence
from ssd_influence.kernels.divergences import DIVERGENCES
from ssd_influence.settings import Divergence


def influence(
    counterfactual_logits: F32,
    choice: Choice,
    counted: Bools,
    kind: Divergence,
    games: I64,
    next_actions: U8 | None,
) -> F32:
    """What `influence_reward` gives in some of B games; 0 in the others.

    Args:
        counterfactual_logits: [R, C, J · A] of `Inference.recall`, or what others disclosed;
            left normalised.
        choice: among the C alternatives, all B games; its logits are left normalised.
        counted: [B, J] bool, whom to count: by a MOA, those whom k saw in s_t.
        kind: of divergence.
        games: [R] long, the games that those logits are of.
        next_actions: [B, J] what the others did at t+1; only PMI asks for it.

    Returns:
        [B] float32 in nats, not clipped.

    Raises:
        ValueError: PMI without the next actions.
    """
    if kind == "pmi" and next_actions is None:
        raise ValueError("PMI compares what was done at t+1: it needs next_actions")
    done = np.zeros(counted.shape, np.uint8) if next_actions is None else next_actions
    reward = np.zeros(len(counted), np.float32)
    divergence.influence(
        counterfactual_logits,
        choice.logits,
        choice.chosen,
        counted,
        games,
        DIVERGENCES[kind],
        done,
        reward,
    )
    return reward
