"""Whether the agents that are influenced most earn most (§5)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RESAMPLES = 10_000  # enough for some to lie outside an interval of 99.5 %


class Correlation(NamedTuple):
    """Pearson's ρ and its interval."""

    rho: float
    low: float
    high: float


def influence_reward_correlation(
    influenced: Floats,
    rewards: Floats,
    rng: np.random.Generator,
    confidence: float = 0.995,
) -> Correlation | None:
    """Pearson's ρ of being influenced with one's own environmental reward, over all agents.

    The paper has ρ = .67 in Cleanup and .34 in Harvest, over 100 settings. The bounds are quantiles
    of ρ over settings drawn with replacement, each with all its agents, since agents that play
    together are no independent witnesses.

    Args:
        influenced: [S, N] float, how much each of N agents was influenced in each of S settings.
        rewards: [S, N] float, what it earned from its environment.
        rng: of the resamples.
        confidence: of the interval, between 0 and 1.

    Returns:
        None where ρ means nothing: fewer than 3 settings, or all influenced, or all paid, alike.

    Raises:
        ValueError: shapes differ, numbers are not finite, or the confidence is none.
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
    moments = _moments(_standard(x), _standard(y))
    rho = _pearson(moments.mean(0, keepdims=True))
    drawn = rng.multinomial(settings, np.full(settings, 1 / settings), size=RESAMPLES)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = np.quantile(_pearson(drawn @ moments / settings), tails)
    return Correlation(float(rho[0]), float(low), float(high))


def _standard(values: Floats) -> Floats:
    """The same in [0, 1], for the sake of rounding; ρ does not change by it."""
    standard: Floats = (values - values.min()) / np.ptp(values)
    return standard


def _moments(x: Floats, y: Floats) -> Floats:
    """[S, N] twice → [S, 5] each setting's mean of x, y, x², y² and xy."""
    return np.stack([of.mean(1) for of in (x, y, x * x, y * y, x * y)], axis=1)


def _pearson(moments: Floats) -> Floats:
    """ρ = cov(x, y) / √(var x · var y) from [R, 5] moments, in [−1, 1].

    A resample in which x or y is the same for all, but for rounding, has no ρ and is left out.
    """
    x, y, xx, yy, xy = moments.T
    var_x, var_y = xx - x * x, yy - y * y
    varies = (var_x > 1e-14 * xx) & (var_y > 1e-14 * yy)
    rho: Floats = (xy - x * y)[varies] / np.sqrt(var_x[varies] * var_y[varies])
    return rho.clip(-1, 1)
