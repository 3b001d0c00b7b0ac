"""The first part of a step: all agents turn and move at once, then eat."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import next_state, random_integer
from ssd_envs.palette import AGENT, APPLE, EMPTY, WALL

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@kernel
def move_agents(
    actions: Bytes,
    move_offsets: Ints,
    quarter_turns: Ints,
    contents: Bytes,
    occupants: Bytes,
    position: Ints,
    heading: Ints,
    rng_state: npt.NDArray[np.uint64],
    target: Ints,
) -> None:
    """Turn and move all agents of all games.

    Args:
        actions: [B, N] each agent's action.
        move_offsets: [4, A] what an action adds to an agent's cell, by heading.
        quarter_turns: [A] the quarter turns clockwise of each action.
        contents: [B, size] what each cell holds.
        occupants: [B, size] the agent on each cell, as palette index, or 0; changed.
        position: [B, N] each agent's cell; changed.
        heading: [B, N] changed.
        rng_state: [B] changed.
        target: [N] workspace: the cell that each agent is to enter, or its own if it stays.
    """
    for b in range(position.shape[0]):
        for k in range(target.size):
            here, action = position[b, k], actions[b, k]
            there = here + move_offsets[heading[b, k], action]
            target[k] = here if contents[b, there] == WALL else there
            heading[b, k] = (heading[b, k] + quarter_turns[action]) & 3
        rng_state[b] = _draw_winners(target, position[b], rng_state[b])
        _stop_blocked_agents(target, position[b], occupants[b])
        for k in range(target.size):
            occupants[b, position[b, k]] = EMPTY
        for k in range(target.size):
            occupants[b, target[k]] = AGENT + k
            position[b, k] = target[k]


@kernel
def _draw_winners(target: Ints, position: Ints, state: np.uint64) -> np.uint64:
    """Draw for each cell one of the agents that want to enter it, uniformly; the others stay."""
    for k in range(target.size):
        if target[k] == position[k]:
            continue
        winner, rivals = k, 1
        for j in range(k + 1, target.size):
            if target[j] == target[winner] and target[j] != position[j]:
                rivals += 1
                state = next_state(state)
                # The n-th rival wins with probability 1/n, which makes all rivals equally likely.
                loser = winner if random_integer(state, rivals) == 0 else j
                winner = j if loser == winner else winner
                target[loser] = position[loser]
    return state


@kernel
def _stop_blocked_agents(target: Ints, position: Ints, occupants: Bytes) -> None:
    """Agents that want the cell of one that stays, or each other's cells, stay; until no change."""
    changed = True
    while changed:
        changed = False
        for k in range(target.size):
            if target[k] == position[k] or occupants[target[k]] == EMPTY:
                continue
            occupant = occupants[target[k]] - AGENT
            if target[occupant] == position[occupant] or target[occupant] == position[k]:
                target[k] = position[k]
                changed = True


@kernel
def eat_apples(
    contents: Bytes,
    position: Ints,
    reward: npt.NDArray[np.float32],
    apples: Ints,
) -> None:
    """Each agent on an apple eats it and is rewarded with 1.

    Args:
        contents: [B, size] what each cell holds; changed.
        position: [B, N] each agent's cell.
        reward: [N, B] added to.
        apples: [B, N] how many apples each agent ate; added to.
    """
    for b in range(position.shape[0]):
        for k in range(position.shape[1]):
            if contents[b, position[b, k]] == APPLE:
                contents[b, position[b, k]] = EMPTY
                reward[k, b] += 1
                apples[b, k] += 1
