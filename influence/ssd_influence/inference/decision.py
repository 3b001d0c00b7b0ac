"""What an agent decides at a step, and the recurrent state that it keeps between steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ssd_influence.array_types import F32, U8


class RecurrentState(NamedTuple):
    """The recurrent state of an agent in B games. Steps write into its arrays."""

    policy: F32  # [B, 2 · cells], h and c
    moa: F32 | None  # [B, 2 · cells]; None without a MOA

    def flat(self) -> F32:
        """A copy as one array, [B, state_size]."""
        return np.concatenate([part for part in self if part is not None], 1)


class Sample(NamedTuple):
    """Actions, or symbols, sampled at t."""

    logits: F32  # [B, A] or [B, V] of the policy that they were sampled from
    choice: U8  # [B] the action or symbol
    log_prob: F32  # [B] of it


class Decision(NamedTuple):
    """What an agent computes from s_t."""

    action: Sample
    symbol: Sample | None  # None without communication
    # [B, K, C, A] log-probabilities of its actions, had each of K agents chosen each alternative c;
    # None for an agent that discloses nothing.
    responses: F32 | None
