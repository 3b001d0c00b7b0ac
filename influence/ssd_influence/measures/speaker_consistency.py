"""Whether an agent's symbols and its own actions determine each other (§5, §10.4.4)."""

import math

import numpy as np

from ssd_influence.array_types import I64
from ssd_influence.measures.mutual_information import entropy, joint_counts
from ssd_influence.measures.trajectory_checks import Integers, as_choices, check_shape


def speaker_consistency(
    symbols: Integers, actions: Integers, num_symbols: int, num_actions: int
) -> float:
    """How close agents are to one symbol per action and one action per symbol; equation 8.

        1/N Σₖ ½ [ mean over m of 1 − H(aᵏ | mᵏ = m) / log A
                   + mean over a of 1 − H(mᵏ | aᵏ = a) / log V ]

    The paper has sums instead of means, over agents, symbols and actions; sums would not be in
    [0, 1]. Symbols and actions that an agent never used have no entropy, and are left out.

    An agent that always takes the same action scores at least ½ whatever it says: compare with the
    score of symbols shuffled in time, `rng.permutation(symbols)`.

    Args:
        symbols: [T, B, N] or [T, N] integer, mᵏ that each agent sent at t.
        actions: same shape, aᵏ that it took in the same step.
        num_symbols: V.
        num_actions: A.

    Returns:
        In [0, 1].

    Raises:
        ValueError: shapes differ, nothing is recorded, or a value is out of range.
    """
    m = as_choices("symbols", symbols, num_symbols)
    a = as_choices("actions", actions, num_actions)
    check_shape("actions", a.shape, m.shape)
    scores = []
    for k in range(m.shape[-1]):
        counts = joint_counts(
            m[..., k].ravel(), a[..., k].reshape(-1, 1), num_symbols, num_actions
        )[0]
        scores += [_mean_certainty(counts), _mean_certainty(counts.T)]
    return float(np.clip(np.mean(scores), 0, 1))  # rounding can move it just outside


def _mean_certainty(counts: I64) -> float:
    """Mean over the rows with counts of 1 − H / log Y: [X, Y] counts → in [0, 1]."""
    used = counts[counts.sum(1) > 0]
    return float(1 - entropy(used).mean() / math.log(counts.shape[1]))
