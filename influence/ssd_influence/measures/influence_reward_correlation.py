"""Whether agents that are influenced more earn more (§5)."""

from typing import NamedTuple

import numpy as np

from ssd_influence.array_types import F64

RESAMPLES = 10_000  # enough for some to lie outside an interval of 99.5 %


class Correlation(NamedTuple):
    """Pearson's ρ and its confidence interval."""

    rho: float
    low: float
    high: float


def influence_reward_correlation(
    influenced: F64,
    rewards: F64,
    rng: np.random.Generator,
    confidence: float = 0.995,
) -> Correlation | None:
    """Pearson's ρ between being influenced and one's own environmental reward, over all agents.

    The paper reports ρ = .67 in Cleanup and .34 in Harvest, over 100 settings. The bounds are
    quantiles of a bootstrap over settings, each drawn with all its agents, since agents that play
    together are not independent.

    Args:
        influenced: [S, N] float, how much each of N agents was influenced in each of S settings.
        rewards: [S, N] float, its reward from the environment.
        rng: for the bootstrap.
        confidence: of the interval, between 0 and 1.

    Returns:
        None if ρ is undefined: fewer than 3 settings, or all values of either array equal.

    Raises:
        ValueError: shapes differ, numbers are not finite, or the confidence is out of range.
    """
    x, y = np.asarray(influenced, np.float64), np.asarray(rewards, np.float64)
    if x.ndim != 2 or x.shape != y.shape:
        raise ValueError(f"wanted two arrays [S, N] alike, found shapes {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("wanted finite influence and rewards, found some that are not")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: wanted above 0 and below 1, found {confidence}")
    settings = len(x)
    if settings < 3 or not x.size or not np.ptp(x) or not np.ptp(y):
        return None
    moments = _moments(_rescaled(x), _rescaled(y))
    rho = _pearson(moments.mean(0, keepdims=True))
    counts = rng.multinomial(settings, np.full(settings, 1 / settings), size=RESAMPLES)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = np.quantile(_pearson(counts @ moments / settings), tails)
    return Correlation(float(rho[0]), float(low), float(high))


def _rescaled(values: F64) -> F64:
    """Rescaled to [0, 1] against rounding; ρ does not depend on it."""
    rescaled: F64 = (values - values.min()) / np.ptp(values)
    return rescaled


def _moments(x: F64, y: F64) -> F64:
    """[S, N] twice → [S, 5] each setting's mean of x, y, x², y² and xy."""
    return np.stack([of.mean(1) for of in (x, y, x * x, y * y, x * y)], axis=1)


def _pearson(moments: F64) -> F64:
    """ρ = cov(x, y) / √(var x · var y) from [R, 5] moments, in [−1, 1].

    A resample in which x or y is constant up to rounding has no ρ and is left out.
    """
    x, y, xx, yy, xy = moments.T
    var_x, var_y = xx - x * x, yy - y * y
    varies = (var_x > 1e-14 * xx) & (var_y > 1e-14 * yy)
    rho: F64 = (xy - x * y)[varies] / np.sqrt(var_x[varies] * var_y[varies])
    return rho.clip(-1, 1)
