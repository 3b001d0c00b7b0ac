"""Beams: each is three columns of cells ahead of an agent; beams are fired one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import next_state, random_integer
from ssd_envs.palette import AGENT, CLEANING_BEAM, EMPTY, FINING_BEAM, RIVER, WALL, WASTE

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Rewards = npt.NDArray[np.float32]


@kernel
def fire_beams(
    actions: Bytes,
    beam_of_action: Bytes,
    forward_offset: Ints,
    length: int,
    fire_cost: float,
    fine: float,
    contents: Bytes,
    occupants: Bytes,
    beams: Bytes,
    position: Ints,
    heading: Ints,
    rng_state: npt.NDArray[np.uint64],
    reward: Rewards,
    fires: Ints,
    hits: Ints,
    cleaned: Ints,
    order: Ints,
) -> None:
    """Fire the beams of all games, in each game in a new random order.

    Args:
        actions: [B, N] each agent's action.
        beam_of_action: [A] the beam that an action fires, as palette index, or 0.
        forward_offset: [4] what a step forward adds to a cell, by heading.
        length: cells per column.
        fire_cost: what a fining beam costs the agent that fires it.
        fine: what each agent hit by a fining beam loses.
        contents: [B, size] what each cell holds; changed by cleaning.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
        beams: [B, size] the last beam over each cell, as palette index, or 0; overwritten.
        position: [B, N] each agent's cell.
        heading: [B, N]
        rng_state: [B] changed.
        reward: [N, B] added to.
        fires: [B, N] fining beams that each agent fired; added to.
        hits: [B, N] agents that each agent's beams hit; added to.
        cleaned: [B, N] waste cells that each agent cleaned; added to.
        order: [N] workspace: the agents that fire, in their order.
    """
    for b in range(position.shape[0]):
        beams[b] = EMPTY
        firers = 0
        for k in range(position.shape[1]):
            if beam_of_action[actions[b, k]] != EMPTY:
                order[firers] = k
                firers += 1
        rng_state[b] = _shuffle(order[:firers], rng_state[b])
        for k in order[:firers]:
            beam = beam_of_action[actions[b, k]]
            here, ahead = position[b, k], forward_offset[heading[b, k]]
            right = forward_offset[(heading[b, k] + 1) & 3]
            if beam == FINING_BEAM:
                reward[k, b] -= fire_cost
                fires[b, k] += 1
            for start in (here + ahead, here - right, here + right):
                end = _draw_column(start, ahead, length, beam, contents[b], occupants[b], beams[b])
                if beam == CLEANING_BEAM and contents[b, end] == WASTE:
                    contents[b, end] = RIVER
                    cleaned[b, k] += 1
                if beam == FINING_BEAM and occupants[b, end] != EMPTY:
                    reward[occupants[b, end] - AGENT, b] -= fine
                    hits[b, k] += 1


@kernel
def _shuffle(order: Ints, state: np.uint64) -> np.uint64:
    for last in range(order.size - 1, 0, -1):
        state = next_state(state)
        other = random_integer(state, last + 1)
        order[last], order[other] = order[other], order[last]
    return state


@kernel
def _draw_column(
    start: int, ahead: int, length: int, beam: int, contents: Bytes, occupants: Bytes, beams: Bytes
) -> int:
    """Draw one column of a beam and return where it ends: the cell that stopped it, or its last."""
    cell = start
    for _ in range(length):
        if contents[cell] == WALL:
            return cell
        beams[cell] = beam
        meets_waste = beam == CLEANING_BEAM and contents[cell] == WASTE
        if meets_waste or occupants[cell] != EMPTY:
            return cell
        cell += ahead
    return cell - ahead
