"""How often and when the free agent opens the box in Box Trapped (§10.3, figure 12)."""

from typing import NamedTuple

import numpy as np

from ssd_influence.array_types import I64, Bools


class BoxOpening(NamedTuple):
    """Box openings in E episodes of T steps."""

    share: float  # of the episodes, in which the box was opened
    steps: I64  # [episodes with an opened box] the step, from 0, at which it was opened
    times: I64  # [T] in how many episodes *open box* was chosen at each step


def box_opening(opens: Bools) -> BoxOpening:
    """In how many episodes the box was opened, and when; in the paper 88 %, and 0 % with A3C.

    Args:
        opens: [T, E] bool, whether the free agent chose *open box* at each step of each complete
            episode. The first choice opens the box; later ones have no effect.

    Raises:
        ValueError: another rank, or no episodes.
    """
    opens = np.asarray(opens, np.bool_)
    if opens.ndim != 2 or not opens.size:
        raise ValueError(f"opens: wanted [T, E], found shape {opens.shape}")
    opened = opens.any(0)
    return BoxOpening(float(opened.mean()), opens.argmax(0)[opened], opens.sum(1))
