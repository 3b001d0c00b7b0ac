"""The influence reward of `rewards.influence`, a game at a time and without temporaries."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ssd_influence.kernels.compilation import inlined, kernel
from ssd_influence.kernels.exponential import LOG2_E, exp2

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

KL, JSD, PMI = 0, 1, 2
DIVERGENCES = {"kl": KL, "jsd": JSD, "pmi": PMI}


@inlined
def _normalise(logits: F32, x: F32) -> None:
    """log_softmax of [A], in place."""
    most = logits[0]
    for a in range(1, len(logits)):
        most = max(most, logits[a])
    for a in range(len(logits)):
        x[a] = exp2((logits[a] - most) * LOG2_E)
    total = np.float32(0)
    for a in range(len(logits)):
        total += x[a]
    most += np.float32(math.log(total))
    for a in range(len(logits)):
        logits[a] -= most


@inlined
def _log_marginal(log_policy: F32, log_p: F32, most: F32, log_marginal: F32) -> None:
    """Log Σ_ã π(ã) p[ã, ·]: [C] and [C, M] → [M], by way of the largest term, [M]."""
    most[:] = -np.inf
    for tilde in range(len(log_p)):
        row, log_pi = log_p[tilde], log_policy[tilde]
        for m in range(len(most)):
            most[m] = max(most[m], log_pi + row[m])
    log_marginal[:] = 0
    for tilde in range(len(log_p)):
        row, log_pi = log_p[tilde], log_policy[tilde]
        for m in range(len(most)):
            log_marginal[m] += exp2((log_pi + row[m] - most[m]) * LOG2_E)
    for m in range(len(most)):
        log_marginal[m] = most[m] + math.log(log_marginal[m])


@inlined
def _kl(log_p: F32, log_q: F32) -> float:
    """KL[p ‖ q] of two [A]: Σ p (d − 1 + e^−d) with d = log p − log q.

    Both sum to 1, so this is Σ p d; but no term of it is negative, and where p and q hardly differ,
    as most of the time they do, nothing cancels.
    """
    moved = 0.0
    for a in range(len(log_p)):
        p, d = math.exp(log_p[a]), float(log_p[a]) - float(log_q[a])
        if abs(d) < 1:
            moved += p * (d + math.expm1(-d))
        else:  # where e^−d could be more than a float holds
            moved += p * (d - 1) + math.exp(log_q[a])
    return moved


@inlined
def _jsd(log_p: F32, log_q: F32, log_middle: F32) -> float:
    """½ KL[p ‖ m] + ½ KL[q ‖ m] with m = ½ (p + q), of two [A]."""
    for a in range(len(log_p)):
        most, least = max(log_p[a], log_q[a]), min(log_p[a], log_q[a])
        log_middle[a] = most + math.log1p(math.exp(least - most)) - math.log(2)
    return (_kl(log_p, log_middle) + _kl(log_q, log_middle)) / 2


@kernel
def normalise(logits: F32) -> None:
    """log_softmax of [B, K, C, A] over its last axis, in place."""
    x = np.empty(logits.shape[3], np.float32)
    for b in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            for c in range(logits.shape[2]):
                _normalise(logits[b, k, c], x)


@kernel
def influence(
    logits: F32,
    log_policy: F32,
    chosen: U8,
    counted: npt.NDArray[np.bool_],
    games: Ints,
    divergence: int,
    next_actions: U8,
    reward: F32,
) -> None:
    """The reward c of what agent k did or said in R of B games, in nats, summed over the others.

    Args:
        logits: [R, C, J · A] of each other agent's action, had k chosen each of C alternatives;
            log_softmax of them out.
        log_policy: [B, C] in logits of k's policy, out its log_softmax.
        chosen: [B] what k did or said.
        counted: [B, J] whom of the others to count.
        games: [R] which games.
        divergence: `KL`, `JSD` or `PMI`.
        next_actions: [B, J] what the others then did; only PMI reads it.
        reward: [B] out, in the R games only.
    """
    others, alternatives = counted.shape[1], log_policy.shape[1]
    actions = logits.shape[2] // others
    log_marginal, most = (
        np.empty(others * actions, np.float32),
        np.empty(others * actions, np.float32),
    )
    x = np.empty(max(actions, alternatives), np.float32)
    for r in range(len(games)):
        b = games[r]
        log_p = logits[r]
        for tilde in range(alternatives):
            for j in range(others):
                _normalise(log_p[tilde, j * actions : (j + 1) * actions], x)
        _normalise(log_policy[b], x)
        _log_marginal(log_policy[b], log_p, most, log_marginal)
        c = 0.0
        for j in range(others):
            if not counted[b, j]:
                continue
            conditional = log_p[chosen[b], j * actions : (j + 1) * actions]
            marginal = log_marginal[j * actions : (j + 1) * actions]
            if divergence == KL:
                c += _kl(conditional, marginal)
            elif divergence == JSD:
                c += _jsd(conditional, marginal, x)
            else:
                c += conditional[next_actions[b, j]] - marginal[next_actions[b, j]]
        reward[b] = c
