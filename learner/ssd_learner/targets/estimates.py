"""What every advantage estimator takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Trajectories:
    """T steps of B games, as one head sees them.

    Attributes:
        reward_t: [T, B] the rewards of this head.
        discount_t: [T, B] γ, and 0 where the episode ended with a_t.
        value_t: [T+1, B] V(s_t) of this head's critic; the last one bootstraps.
        log_ratio_t: [T, B] log π(a_t) − log μ(a_t): the learner's policy over the policy that
            acted, summed over all heads of the agent.
    """

    reward_t: Tensor
    discount_t: Tensor
    value_t: Tensor
    log_ratio_t: Tensor


class Estimates(NamedTuple):
    """Advantages and value targets; all [T, B] float, without gradient."""

    advantage: Tensor  # weight of the policy gradient
    target: Tensor  # of the critic
    error: Tensor  # target − V(s_t)
