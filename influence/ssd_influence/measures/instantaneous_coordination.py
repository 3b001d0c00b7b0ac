"""Whether one agent's symbols or actions predict another's next action (§5, figure 5)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ssd_influence.array_types import F64, I64, Bools
from ssd_influence.measures.mutual_information import joint_counts, mutual_information
from ssd_influence.measures.trajectory_checks import Integers, as_choices, as_flags, check_shape

Pairs = tuple[I64, I64]


class Coordination(NamedTuple):
    """Instantaneous coordination of the pair of agents that coordinates most."""

    nats: float  # I(xᵏ_t; aʲ_{t+1}), at most log of the smaller number of values
    shuffled: float  # the same with x shuffled over its steps: what chance alone gives
    speaker: int  # k
    listener: int  # j
    steps: int  # number of pairs (t, t+1) of the speaker that were counted


def instantaneous_coordination(
    signals: Integers,
    actions: Integers,
    is_first: Bools,
    num_signals: int,
    num_actions: int,
    rng: np.random.Generator,
    moments: Bools | None = None,
    shuffles: int = 20,
) -> Coordination | None:
    """Symbol/action I(mᵏ_t; aʲ_{t+1}), or action/action I(aᵏ_t; aʲ_{t+1}), maximum over k ≠ j.

    Counted over all steps of all games that have a next one in their episode. Mutual information is
    overestimated for few steps, and for the best of many pairs. The control is biased in the same
    way: x is shuffled among the steps that were counted, and the best pair is chosen again for each
    shuffle; its mean is returned. The control does not distinguish coordination from agents that
    react alike to what both see, or from habits that last longer than a step.

    Args:
        signals: [T, B, N] or [T, N] integer, x of each agent at t: its symbols m, or its actions a.
        actions: same shape, each agent's action at t.
        is_first: [T, B] or [T] bool, whether t is the first step of an episode; no pair leads into
            it.
        num_signals: X, the number of values of x: V for symbols, A for actions.
        num_actions: A.
        rng: for the shuffles.
        moments: same shape as `signals`, bool: count only these steps t of each speaker, for
            example its `influential_moments`. By default all steps count.
        shuffles: number of shuffles that the control averages over, at least 1.

    Returns:
        None if there is nothing to measure: one agent only, or no two consecutive steps.

    Raises:
        ValueError: shapes differ, nothing is recorded, a value is out of range, or no shuffles.
    """
    if shuffles < 1:
        raise ValueError(f"shuffles: wanted at least 1, found {shuffles}")
    x = as_choices("signals", signals, num_signals)
    a = as_choices("actions", actions, num_actions)
    check_shape("actions", a.shape, x.shape)
    counted = _counted(is_first, moments, x.shape)
    agents = range(x.shape[-1])
    pairs = [(x[:-1, :, k][counted[..., k]], a[1:][counted[..., k]]) for k in agents]
    nats = _between_agents(pairs, num_signals, num_actions)
    k, j = np.unravel_index(nats.argmax(), nats.shape)
    if np.isneginf(nats[k, j]):
        return None
    by_chance = []
    for _ in range(shuffles):
        shuffled = [(rng.permutation(x_t), a_tp1) for x_t, a_tp1 in pairs]
        by_chance.append(_between_agents(shuffled, num_signals, num_actions).max())
    return Coordination(
        float(nats[k, j]), float(np.mean(by_chance)), int(k), int(j), len(pairs[k][0])
    )


def _counted(is_first: Bools, moments: Bools | None, shape: tuple[int, ...]) -> Bools:
    """[T − 1, B, N] bool, the steps t of each speaker that are paired with t + 1."""
    is_first = as_flags("is_first", is_first, 2)
    check_shape("is_first", is_first.shape, shape[:2])
    same_episode = np.broadcast_to(~is_first[1:, :, None], (shape[0] - 1, *shape[1:]))
    if moments is None:
        return same_episode
    moments = as_flags("moments", moments, 3)
    check_shape("moments", moments.shape, shape)
    return same_episode & moments[:-1]


def _between_agents(pairs: Sequence[Pairs], num_signals: int, num_actions: int) -> F64:
    """Mutual information of each speaker with each listener.

    Args:
        pairs: for each of N speakers, xᵏ_t [n] and a_{t+1} [n, N] of all agents, int64.
        num_signals: X.
        num_actions: A.

    Returns:
        [N, N] nats by speaker and listener; −∞ with itself, and of a speaker without steps.
    """
    nats = np.full((len(pairs), len(pairs)), -np.inf)
    for k, (x_t, a_tp1) in enumerate(pairs):
        if len(x_t):
            nats[k] = mutual_information(joint_counts(x_t, a_tp1, num_signals, num_actions))
            nats[k, k] = -np.inf
    return nats
