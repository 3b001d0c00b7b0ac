"""The divergences, by name, and the influence reward made of them.

To add a divergence: write its function here, give it a code, add it to `DIVERGENCES` and to
`_divergence`, and add its name to `settings.Divergence`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ssd_influence.array_types import F32, I64, U8, Bools
from ssd_influence.kernels.compilation import inlined, kernel
from ssd_influence.kernels.exponential import LOG2_E, exp2


class Divergence(NamedTuple):
    """A divergence, as the kernel `influence_reward` takes it."""

    code: int
    needs_next_actions: bool = False  # it also depends on what the other agent then did


KL, JSD, PMI = 0, 1, 2
DIVERGENCES = {
    "kl": Divergence(KL),
    "jsd": Divergence(JSD),
    "pmi": Divergence(PMI, needs_next_actions=True),
}


def divergence_named(name: str) -> Divergence:
    """The divergence of this name.

    Raises:
        ValueError: there is none; the message lists the known names.
    """
    if name not in DIVERGENCES:
        raise ValueError(f"divergence: wanted one of {', '.join(DIVERGENCES)}, found {name!r}")
    return DIVERGENCES[name]


@inlined
def _kl(log_p: F32, log_q: F32) -> float:
    """KL[p ‖ q] of two [A]: Σ p (d − 1 + e^−d) with d = log p − log q.

    Since both sum to 1, this equals Σ p d. But no term of it is negative, so nothing cancels where
    p and q hardly differ, which is the usual case.
    """
    divergence = 0.0
    for a in range(len(log_p)):
        p, d = math.exp(log_p[a]), float(log_p[a]) - float(log_q[a])
        if abs(d) < 1:
            divergence += p * (d + math.expm1(-d))
        else:  # e^−d may overflow here
            divergence += p * (d - 1) + math.exp(log_q[a])
    return divergence


@inlined
def _jsd(log_p: F32, log_q: F32, log_middle: F32) -> float:
    """½ KL[p ‖ m] + ½ KL[q ‖ m] with m = ½ (p + q), of two [A]; `log_middle` is scratch."""
    for a in range(len(log_p)):
        most, least = max(log_p[a], log_q[a]), min(log_p[a], log_q[a])
        log_middle[a] = most + math.log1p(math.exp(least - most)) - math.log(2)
    return (_kl(log_p, log_middle) + _kl(log_q, log_middle)) / 2


@inlined
def _divergence(code: int, log_p: F32, log_q: F32, next_action: int, scratch: F32) -> float:
    """The divergence of a code: conditional p and marginal q, both [A]."""
    divergence = 0.0
    if code == KL:
        divergence = _kl(log_p, log_q)
    elif code == JSD:
        divergence = _jsd(log_p, log_q, scratch)
    elif code == PMI:  # equation 7
        divergence = float(log_p[next_action] - log_q[next_action])
    return divergence


@inlined
def _log_softmax(logits: F32, scratch: F32) -> None:
    """Of [A], in place."""
    most = logits[0]
    for a in range(1, len(logits)):
        most = max(most, logits[a])
    for a in range(len(logits)):
        scratch[a] = exp2((logits[a] - most) * LOG2_E)
    total = np.float32(0)
    for a in range(len(logits)):
        total += scratch[a]
    most += np.float32(math.log(total))
    for a in range(len(logits)):
        logits[a] -= most


@inlined
def _log_marginal(log_policy: F32, log_p: F32, most: F32, log_marginal: F32) -> None:
    """Log Σ_ã π(ã) p[ã, ·]: [C] and [C, M] → [M], scaled by the largest term, [M]."""
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


@kernel
def log_softmax_(logits: F32) -> None:
    """Log-softmax of [B, K, C, A] over its last axis, in place."""
    scratch = np.empty(logits.shape[3], np.float32)
    for b in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            for c in range(logits.shape[2]):
                _log_softmax(logits[b, k, c], scratch)


@kernel
def influence_reward(
    logits: F32,
    log_policy: F32,
    chosen: U8,
    counted: Bools,
    rows: I64,
    code: int,
    next_actions: U8,
    reward: F32,
) -> None:
    """The influence reward of what agent k chose in R of B games, in nats, summed over the others.

    Args:
        logits: [R, C, J · A] of each other agent's action, had k chosen each of C alternatives.
            Overwritten with their log-softmax.
        log_policy: [B, C] logits of k's policy. Overwritten with their log-softmax in the R games.
        chosen: [B] the action or symbol that k chose.
        counted: [B, J] which of the others count.
        rows: [R] indices of the games.
        code: of the divergence.
        next_actions: [B, J] what the others did next; ignored unless the divergence needs it.
        reward: [B] out, in the R games only.
    """
    others, alternatives = counted.shape[1], log_policy.shape[1]
    actions = logits.shape[2] // others
    log_marginal = np.empty(others * actions, np.float32)
    most = np.empty(others * actions, np.float32)
    scratch = np.empty(max(actions, alternatives), np.float32)
    for r in range(len(rows)):
        b = rows[r]
        log_p = logits[r]
        for tilde in range(alternatives):
            for j in range(others):
                _log_softmax(log_p[tilde, j * actions : (j + 1) * actions], scratch)
        _log_softmax(log_policy[b], scratch)
        _log_marginal(log_policy[b], log_p, most, log_marginal)
        total = 0.0
        for j in range(others):
            if not counted[b, j]:
                continue
            conditional = log_p[chosen[b], j * actions : (j + 1) * actions]
            marginal = log_marginal[j * actions : (j + 1) * actions]
            total += _divergence(code, conditional, marginal, next_actions[b, j], scratch)
        reward[b] = total
