"""One step of a lane and what followed it: what an intrinsic reward is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd_influence.inference.decision import Decision
from ssd_wire.messages import Timestep


@dataclass(frozen=True, eq=False)
class Counterfactuals:
    """What the agent's model of the others (MOA) predicts, had the agent chosen otherwise.

    Attributes:
        games: int64 [R], the games that this was asked for.
        logits: float32 [R, C, J · A] of a_{t+1} of each of the J other agents, had this agent
            chosen each of its C alternatives (actions or symbols) at t.
    """

    games: NDArray[np.int64]
    logits: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Transition:
    """Step t of B games, and the timestep after it.

    Attributes:
        timestep: timestep t, with the observation s_t.
        decision: the action and the symbol chosen at t, and the logits they were drawn from.
        next_timestep: timestep t + 1. It carries everyone's a_t, and this agent's own reward for
            its a_t. Where its `is_first` is true, step t was the last of its episode.
        counterfactuals: what the MOA predicts; None if it was not asked.
    """

    timestep: Timestep
    decision: Decision
    next_timestep: Timestep
    counterfactuals: Counterfactuals | None = None
