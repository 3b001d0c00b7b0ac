"""When an agent moves others more than it is wont to (§5: influential moments)."""

import numpy as np
import numpy.typing as npt

from ssd_influence.measures.trajectory_checks import by_game


def influential_moments(influence: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """The steps in which an agent's influence cᵏ is no less than its own mean (§5).

    All steps are such of an agent whose influence never changes, so also of one that has none: for
    moments in which there was influence at all, take `influential_moments(c) & (c > 0)`.

    Args:
        influence: [T, B, N] or [T, N] float cᵏ_t, credited to the step of k's action or symbol.

    Returns:
        bool, of the same shape, with some moments for each agent.

    Raises:
        ValueError: no steps, another rank, or an influence that is not finite.
    """
    c = np.asarray(influence, np.float64)
    if not c.size or not np.isfinite(c).all():
        raise ValueError(f"influence: wanted finite numbers, found none or others in {c.shape}")
    of_games = by_game("influence", c, 3)
    # No mean is above all it is the mean of, but rounding can take it there, and leave no moments.
    mean = np.minimum(of_games.mean((0, 1)), of_games.max((0, 1)))
    moments: npt.NDArray[np.bool_] = c >= mean
    return moments


def influential_share(influence: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The share of steps that are influential moments, under a tenth in the paper.

    Args:
        influence: [T, B, N] or [T, N] float, as for `influential_moments`.

    Returns:
        [N] float64 of each agent, above 0 and at most 1.
    """
    moments = by_game("moments", influential_moments(influence), 3)
    share: npt.NDArray[np.float64] = moments.mean((0, 1))
    return share
