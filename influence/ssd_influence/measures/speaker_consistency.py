"""Whether a speaker's symbols and its own actions stand for one another (§5, §10.4.4)."""

import math

import numpy as np

from ssd_influence.measures.mutual_information import Counts, entropy, joint_counts
from ssd_influence.measures.trajectory_checks import Integers, check_shape, choices


def speaker_consistency(
    symbols: Integers, actions: Integers, num_symbols: int, num_actions: int
) -> float:
    """How near speakers are to one symbol per action and one action per symbol; equation 8.

        1/N Σₖ ½ [ mean over m of 1 − H(aᵏ | mᵏ = m) / log A
                   + mean over a of 1 − H(mᵏ | aᵏ = a) / log V ]

    The paper sums where this takes means, over agents, symbols and actions; sums would not lie in
    [0, 1]. Symbols and actions that an agent never used have no entropy, and are left out.

    An agent that always does the same thing is certain to do it whatever it says, so it scores at
    least ½: compare with the score of symbols shuffled in time, `rng.permutation(symbols)`.

    Args:
        symbols: [T, B, N] or [T, N] integer, mᵏ that each agent said at t.
        actions: of the same shape, aᵏ that it did in the same step.
        num_symbols: V.
        num_actions: A.

    Returns:
        In [0, 1].

    Raises:
        ValueError: shapes differ, nothing is recorded, or a value is out of range.
    """
    m = choices("symbols", symbols, num_symbols)
    a = choices("actions", actions, num_actions)
    check_shape("actions", a.shape, m.shape)
    scores = []
    for k in range(m.shape[-1]):
        said_and_did = joint_counts(
            m[..., k].ravel(), a[..., k].reshape(-1, 1), num_symbols, num_actions
        )[0]
        scores += [_certainty(said_and_did), _certainty(said_and_did.T)]
    return float(np.clip(np.mean(scores), 0, 1))  # rounding alone can take it outside


def _certainty(counts: Counts) -> float:
    """Mean over the rows seen of 1 − H / log Y: [X, Y] counts → in [0, 1]."""
    seen = counts[counts.sum(1) > 0]
    return float(1 - entropy(seen).mean() / math.log(counts.shape[1]))
