"""What an agent decides at a step, and the recurrent state that it keeps between steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ssd_influence.array_types import F32, U8


class State(NamedTuple):
    """All that an agent remembers in B games. Steps write into it."""

    policy: F32  # [B, 2 · cells], h and c
    moa: F32 | None  # [B, 2 · cells]; None without a MOA

    def joined(self) -> F32:
        """A copy as one array, [B, state_size]."""
        return np.concatenate([part for part in self if part is not None], 1)


class Choice(NamedTuple):
    """What was done, or said, at t."""

    logits: F32  # [B, A] or [B, V] of the policy it was drawn from
    chosen: U8  # [B]
    log_prob: F32  # [B] of what was chosen


class Decision(NamedTuple):
    """All that an agent makes of s_t."""

    act: Choice
    symbol: Choice | None  # None for one who says nothing
    # [B, K, C, A] log-probabilities of its actions, had each of K done or said each c; None for one
    # who discloses nothing.
    responses: F32 | None
