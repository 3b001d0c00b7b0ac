"""Returns of a group of agents in an episode: their sum, and how equal they are (§10.5.3)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Returns = Sequence[float] | npt.NDArray[np.floating]


def collective_return(returns: Returns) -> float:
    """The sum of the agents' returns in an episode, [N]."""
    return float(np.sum(np.asarray(returns, dtype=np.float64)))


def gini(returns: Returns) -> float | None:
    """Inequality of the agents' returns, equation 9; 0 if all are equal.

        G = Σᵢ Σⱼ |eⁱ − eʲ| / (2 N Σᵢ eⁱ)

    Args:
        returns: [N] return of each agent in an episode.

    Returns:
        In [0, 1 − 1/N], or None if G is undefined: some return is negative, or their sum is not
        positive.

    Raises:
        ValueError: another rank than 1; of many episodes, compute each by itself.
    """
    e = np.asarray(returns, dtype=np.float64)
    if e.ndim != 1:
        raise ValueError(f"returns: wanted those of one episode, [N], found shape {e.shape}")
    if e.sum() <= 0 or e.min() < 0:
        return None
    differences = np.abs(e[:, None] - e[None, :]).sum()
    return float(differences / (2 * len(e) * e.sum()))


def equality(returns: Returns) -> float | None:
    """1 − G of equation 9; None if `gini` is."""
    inequality = gini(returns)
    return None if inequality is None else 1 - inequality


def collective_times_equality(returns: Returns) -> float | None:
    """R · (1 − G), the measure of figure 16; None if `gini` is."""
    share = equality(returns)
    return None if share is None else collective_return(returns) * share
