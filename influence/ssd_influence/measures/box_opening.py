"""How often and when the free agent opens the box in Box Trapped (§10.3, figure 12)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class BoxOpening(NamedTuple):
    """What became of the box in E episodes of T steps."""

    share: float  # of the episodes, in which the box was opened
    steps: npt.NDArray[np.int64]  # [episodes in which it was] the step, from 0, at which it was
    times: npt.NDArray[np.int64]  # [T] in how many episodes *open box* was chosen at each step


def box_opening(opens: npt.NDArray[np.bool_]) -> BoxOpening:
    """Counts episodes in which the box was opened; 88 % in the paper, and none by A3C.

    Args:
        opens: [T, E] bool, whether the free agent chose *open box* at each step of each whole
            episode. The box is opened by the first; the others change nothing.

    Raises:
        ValueError: another rank, or no episodes.
    """
    opens = np.asarray(opens, np.bool_)
    if opens.ndim != 2 or not opens.size:
        raise ValueError(f"opens: wanted [T, E], found shape {opens.shape}")
    opened = opens.any(0)
    return BoxOpening(float(opened.mean()), opens.argmax(0)[opened], opens.sum(1))
