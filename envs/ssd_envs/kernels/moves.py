"""The first half of a step: everybody turns and moves at once, then eats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import after, below
from ssd_envs.palette import AGENT, APPLE, EMPTY, WALL

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@kernel
def move(
    actions: Bytes,
    steps: Ints,
    turns: Ints,
    cells: Bytes,
    agents: Bytes,
    place: Ints,
    heading: Ints,
    random: npt.NDArray[np.uint64],
    wish: Ints,
) -> None:
    """Turn and move all agents of all games.

    Args:
        actions: [B, N] what each agent does.
        steps: [4, A] what an action adds to an agent's cell, by heading.
        turns: [A] the quarter turns clockwise that an action makes.
        cells: [B, size] what each cell holds.
        agents: [B, size] who stands on each cell, as palette index, or 0; changed.
        place: [B, N] each agent's cell; changed.
        heading: [B, N] changed.
        random: [B] the games' random states; changed.
        wish: [N] workspace: the cell that each agent is about to enter, or its own.
    """
    for b in range(place.shape[0]):
        for k in range(wish.size):
            here, action = place[b, k], actions[b, k]
            there = here + steps[heading[b, k], action]
            wish[k] = here if cells[b, there] == WALL else there
            heading[b, k] = (heading[b, k] + turns[action]) & 3
        random[b] = _one_winner_per_cell(wish, place[b], random[b])
        _stay_behind_those_who_stay(wish, place[b], agents[b])
        for k in range(wish.size):
            agents[b, place[b, k]] = EMPTY
        for k in range(wish.size):
            agents[b, wish[k]] = AGENT + k
            place[b, k] = wish[k]


@kernel
def _one_winner_per_cell(wish: Ints, place: Ints, state: np.uint64) -> np.uint64:
    """Leave each cell one of those who want to enter it, all equally likely; others now stay."""
    for k in range(wish.size):
        if wish[k] == place[k]:
            continue
        winner, rivals = k, 1
        for j in range(k + 1, wish.size):
            if wish[j] == wish[winner] and wish[j] != place[j]:
                rivals += 1
                state = after(state)
                # The n-th rival takes over with probability 1/n: so each wins with the same.
                loser = winner if below(state, rivals) == 0 else j
                winner = j if loser == winner else winner
                wish[loser] = place[loser]
    return state


@kernel
def _stay_behind_those_who_stay(wish: Ints, place: Ints, agents: Bytes) -> None:
    """Nobody enters the cell of one who stays, nor do two swap; so more stay, and so on."""
    settled = False
    while not settled:
        settled = True
        for k in range(wish.size):
            if wish[k] == place[k] or agents[wish[k]] == EMPTY:
                continue
            occupant = agents[wish[k]] - AGENT
            if wish[occupant] == place[occupant] or wish[occupant] == place[k]:
                wish[k] = place[k]
                settled = False


@kernel
def eat(
    cells: Bytes,
    place: Ints,
    reward: npt.NDArray[np.float32],
    apples: Ints,
) -> None:
    """Whoever stands on an apple eats it, for a point.

    Args:
        cells: [B, size] what each cell holds; changed.
        place: [B, N] each agent's cell.
        reward: [N, B] added to.
        apples: [B, N] how many each agent ate; added to.
    """
    for b in range(place.shape[0]):
        for k in range(place.shape[1]):
            if cells[b, place[b, k]] == APPLE:
                cells[b, place[b, k]] = EMPTY
                reward[k, b] += 1
                apples[b, k] += 1
