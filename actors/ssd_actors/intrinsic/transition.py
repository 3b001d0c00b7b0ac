"""What an agent remembers of a step until the timesteps after it tell what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd_influence.inference.decision import Decision
from ssd_wire.messages import Timestep


@dataclass(frozen=True, eq=False)
class Moment:
    """Step t of one lane.

    Attributes:
        seen: s_t, and what the agent was told with it.
        decision: what it did and said, and from which policies.
    """

    seen: Timestep
    decision: Decision


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What the agent's own model of the others expected, had it done or said otherwise.

    Attributes:
        games: [R] long, the games that were asked about.
        logits: [R, C, J · A] of a_{t+1} of each other agent, for each of the C alternatives.
    """

    games: NDArray[np.int64]
    logits: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Past:
    """Step t, and what has come to be known of it since.

    Attributes:
        moment: step t.
        next: the timestep t + 1, which tells everyone's a_t, and k's reward for its own. Where its
            `is_first` is true, step t was the last of its episode.
        what_if: what the MOA was asked about step t; None if nothing.
    """

    moment: Moment
    next: Timestep
    what_if: WhatIf | None
