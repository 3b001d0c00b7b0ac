"""The paper's formulas in loops, to hold faster code to."""

import math

import numpy as np


def softmax(logits):
    """[A] logits → [A] probabilities, in double precision."""
    weights = np.exp(np.float64(logits) - np.max(np.float64(logits)))
    return weights / weights.sum()


def divergence(kind, conditional, marginal, did):
    """How far p(a | ã) lies from the marginal, both [A], in nats; `did` is a itself, for PMI."""
    if kind == "pmi":
        return math.log(conditional[did] / marginal[did])
    if kind == "kl":
        return sum(p * math.log(p / q) for p, q in zip(conditional, marginal, strict=True))
    middle = (conditional + marginal) / 2
    return sum(
        0.5 * p * math.log(p / m) + 0.5 * q * math.log(q / m)
        for p, q, m in zip(conditional, marginal, middle, strict=True)
    )
