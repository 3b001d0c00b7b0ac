"""Whether what one agent says or does tells what another does next (§5, figure 5)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ssd_influence.measures.mutual_information import joint_counts, mutual_information
from ssd_influence.measures.trajectory_checks import Integers, check_shape, choices, flags

Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


class Coordination(NamedTuple):
    """Instantaneous coordination of the pair of agents that coordinates most."""

    nats: float  # I(xᵏ_t; aʲ_{t+1}), at most log of the fewer of values and actions
    shuffled: float  # the same with x shuffled over its steps, where nothing is left but chance
    speaker: int  # k
    listener: int  # j
    steps: int  # how many pairs (t, t+1) of the speaker were counted


def instantaneous_coordination(
    said: Integers,
    actions: Integers,
    is_first: npt.NDArray[np.bool_],
    num_said: int,
    num_actions: int,
    rng: np.random.Generator,
    moments: npt.NDArray[np.bool_] | None = None,
    shuffles: int = 20,
) -> Coordination | None:
    """Symbol/action I(mᵏ_t; aʲ_{t+1}), or action/action I(aᵏ_t; aʲ_{t+1}), maximum over k ≠ j.

    Counted over all steps of all games that have a next one in their episode. Few steps look like
    much coordination, and so does the best of many pairs. The control has both faults to the same
    degree: x is shuffled among the very steps that were counted, and then the best pair is chosen,
    anew for each shuffle; reported is the mean. It does not tell coordination from agents that
    react alike to what both see, or from habits that last longer than a step.

    Args:
        said: [T, B, N] or [T, N] integer, x of each agent at t: its symbols m, or its actions a.
        actions: of the same shape, what each agent did at t.
        is_first: [T, B] or [T] bool, whether an episode starts at t; no pair leads into it.
        num_said: X, how many values x has: V for symbols, A for actions.
        num_actions: A.
        rng: of the shuffles.
        moments: of the shape of `said`, bool, to count only the steps t of these moments of the
            speaker's, for example its `influential_moments`; all steps without it.
        shuffles: how many shuffles the control is the mean of, at least 1.

    Returns:
        None where there is nothing to measure: an agent alone, or no two steps to pair.

    Raises:
        ValueError: shapes differ, nothing is recorded, a value is out of range, or no shuffles.
    """
    if shuffles < 1:
        raise ValueError(f"shuffles: wanted at least 1, found {shuffles}")
    x = choices("said", said, num_said)
    a = choices("actions", actions, num_actions)
    check_shape("actions", a.shape, x.shape)
    counted = _counted(is_first, moments, x.shape)
    agents = range(x.shape[-1])
    pairs = [(x[:-1, :, k][counted[..., k]], a[1:][counted[..., k]]) for k in agents]
    nats = _between_pairs(pairs, num_said, num_actions)
    k, j = np.unravel_index(nats.argmax(), nats.shape)
    if np.isneginf(nats[k, j]):
        return None
    by_chance = []
    for _ in range(shuffles):
        shuffled = [(rng.permutation(x_t), a_tp1) for x_t, a_tp1 in pairs]
        by_chance.append(_between_pairs(shuffled, num_said, num_actions).max())
    return Coordination(
        float(nats[k, j]), float(np.mean(by_chance)), int(k), int(j), len(pairs[k][0])
    )


def _counted(
    is_first: npt.NDArray[np.bool_],
    moments: npt.NDArray[np.bool_] | None,
    shape: tuple[int, ...],
) -> npt.NDArray[np.bool_]:
    """[T − 1, B, N] bool, the steps t of each speaker that are paired with t + 1."""
    is_first = flags("is_first", is_first, 2)
    check_shape("is_first", is_first.shape, shape[:2])
    go_on = np.broadcast_to(~is_first[1:, :, None], (shape[0] - 1, *shape[1:]))
    if moments is None:
        return go_on
    moments = flags("moments", moments, 3)
    check_shape("moments", moments.shape, shape)
    return go_on & moments[:-1]


def _between_pairs(
    pairs: Sequence[Pairs], num_said: int, num_actions: int
) -> npt.NDArray[np.float64]:
    """Mutual information of each speaker with each listener.

    Args:
        pairs: for each of N speakers, xᵏ_t [n] and a_{t+1} [n, N] of all agents, int64.
        num_said: X.
        num_actions: A.

    Returns:
        [N, N] nats by speaker and listener; −∞ with itself, and of a speaker with no steps.
    """
    nats = np.full((len(pairs), len(pairs)), -np.inf)
    for k, (x_t, a_tp1) in enumerate(pairs):
        if len(x_t):
            nats[k] = mutual_information(joint_counts(x_t, a_tp1, num_said, num_actions))
            nats[k, k] = -np.inf
    return nats
