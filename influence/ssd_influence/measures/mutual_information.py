"""Entropy and mutual information of counted pairs, by plug-in: counts stand for probabilities.

The plug-in estimate of mutual information is too high by about (X − 1)(Y − 1) / 2n nats for n pairs
of independent variables with X and Y values, so that small samples look informative; hence the
shuffled control beside it wherever this package reports it.
"""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


def joint_counts(
    x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], num_x: int, num_y: int
) -> Counts:
    """How often each x came with each y.

    Args:
        x: [n] int64 in 0…X−1.
        y: [n, J] int64 in 0…Y−1, J variables to pair with x.
        num_x: X.
        num_y: Y.

    Returns:
        [J, X, Y] int64, of sum n for each of the J.
    """
    variables = y.shape[1]
    cell = (np.arange(variables) * num_x + x[:, None]) * num_y + y
    counts = np.bincount(cell.ravel(), minlength=variables * num_x * num_y)
    return counts.reshape(variables, num_x, num_y)


def entropy(counts: Counts) -> npt.NDArray[np.float64]:
    """H = −Σ p log p, with 0 log 0 = 0: [..., K] counts, some above 0 in each row → [...] nats."""
    p = counts / counts.sum(-1, keepdims=True)
    log_p = np.log(p, out=np.zeros_like(p), where=counts > 0)
    nats: npt.NDArray[np.float64] = -(p * log_p).sum(-1)
    return nats


def mutual_information(counts: Counts) -> npt.NDArray[np.float64]:
    """I(X; Y) = Σ p(x, y) log [ p(x, y) / p(x) p(y) ], over the pairs that were seen.

    Args:
        counts: [..., X, Y] int64, some above 0 in each table.

    Returns:
        [...] float64 nats, at least 0 and at most log min(X, Y).
    """
    n = counts.sum((-2, -1), keepdims=True)
    by_chance = counts.sum(-1, keepdims=True) * counts.sum(-2, keepdims=True) / n
    ratio = np.divide(counts, by_chance, out=np.ones(counts.shape), where=counts > 0)
    nats: npt.NDArray[np.float64] = (counts / n * np.log(ratio)).sum((-2, -1))
    return nats
