"""Entropy and mutual information of counted pairs, by plug-in: frequencies as probabilities.

The plug-in estimate of mutual information is too high by about (X − 1)(Y − 1) / 2n nats for n pairs
of independent variables with X and Y values, so that small samples look informative. Wherever this
package reports it, a shuffled control is reported, too.
"""

import numpy as np

from ssd_influence.array_types import F64, I64


def joint_counts(x: I64, y: I64, num_x: int, num_y: int) -> I64:
    """How often each x came with each y.

    Args:
        x: [n] in 0…X−1.
        y: [n, J] in 0…Y−1, J variables to pair with x.
        num_x: X.
        num_y: Y.

    Returns:
        [J, X, Y], with sum n for each of the J.
    """
    variables = y.shape[1]
    cell = (np.arange(variables) * num_x + x[:, None]) * num_y + y
    counts = np.bincount(cell.ravel(), minlength=variables * num_x * num_y)
    return counts.reshape(variables, num_x, num_y)


def entropy(counts: I64) -> F64:
    """H = −Σ p log p, with 0 log 0 = 0: [..., K] counts, some above 0 in each row → [...] nats."""
    p = counts / counts.sum(-1, keepdims=True)
    log_p = np.log(p, out=np.zeros_like(p), where=counts > 0)
    nats: F64 = -(p * log_p).sum(-1)
    return nats


def mutual_information(counts: I64) -> F64:
    """I(X; Y) = Σ p(x, y) log [ p(x, y) / p(x) p(y) ], over the pairs that occur.

    Args:
        counts: [..., X, Y], some above 0 in each table.

    Returns:
        [...] nats, at least 0 and at most log min(X, Y).
    """
    n = counts.sum((-2, -1), keepdims=True)
    if_independent = counts.sum(-1, keepdims=True) * counts.sum(-2, keepdims=True) / n
    ratio = np.divide(counts, if_independent, out=np.ones(counts.shape), where=counts > 0)
    nats: F64 = (counts / n * np.log(ratio)).sum((-2, -1))
    return nats
