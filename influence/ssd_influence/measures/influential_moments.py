"""The steps at which an agent influences others more than it usually does (§5)."""

import numpy as np
import numpy.typing as npt

from ssd_influence.array_types import F64, Bools
from ssd_influence.measures.trajectory_checks import with_games


def influential_moments(influence: npt.NDArray[np.floating]) -> Bools:
    """The steps at which an agent's influence cᵏ is at least its own mean (§5).

    If an agent's influence never changes, for example because it has none, these are all its steps.
    For moments with any influence at all, use `influential_moments(c) & (c > 0)`.

    Args:
        influence: [T, B, N] or [T, N] float cᵏ_t, attributed to the step of k's action or symbol.

    Returns:
        bool, same shape, with at least one moment for each agent.

    Raises:
        ValueError: no steps, another rank, or an influence that is not finite.
    """
    c = np.asarray(influence, np.float64)
    if not c.size or not np.isfinite(c).all():
        raise ValueError(f"influence: wanted finite numbers, found none or others in {c.shape}")
    by_game = with_games("influence", c, 3)
    # Rounding can raise the mean above the maximum, which would leave no moments.
    mean = np.minimum(by_game.mean((0, 1)), by_game.max((0, 1)))
    moments: Bools = c >= mean
    return moments


def influential_share(influence: npt.NDArray[np.floating]) -> F64:
    """The share of steps that are influential moments; below a tenth in the paper.

    Args:
        influence: [T, B, N] or [T, N] float, as for `influential_moments`.

    Returns:
        [N] of each agent, above 0 and at most 1.
    """
    moments = with_games("moments", influential_moments(influence), 3)
    share: F64 = moments.mean((0, 1))
    return share
