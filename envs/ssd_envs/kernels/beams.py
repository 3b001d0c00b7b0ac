"""Beams: three columns of cells ahead of an agent, fined or cleaned one beam after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import after, below
from ssd_envs.palette import AGENT, CLEANING_BEAM, EMPTY, FINING_BEAM, RIVER, WALL, WASTE

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Rewards = npt.NDArray[np.float32]


@kernel
def fire(
    actions: Bytes,
    beam_of_action: Bytes,
    forward: Ints,
    length: int,
    fire_cost: float,
    fine: float,
    cells: Bytes,
    agents: Bytes,
    beams: Bytes,
    place: Ints,
    heading: Ints,
    random: npt.NDArray[np.uint64],
    reward: Rewards,
    fires: Ints,
    hits: Ints,
    cleaned: Ints,
    order: Ints,
) -> None:
    """Fire the beams of all games, in each in a fresh random order.

    Args:
        actions: [B, N] what each agent does.
        beam_of_action: [A] the beam that an action fires, as palette index, or 0.
        forward: [4] what a step ahead adds to a cell, by heading.
        length: cells per column.
        fire_cost: what a fining beam costs the firer.
        fine: what each agent it hits loses.
        cells: [B, size] what each cell holds; changed by cleaning.
        agents: [B, size] who stands on each cell, as palette index, or 0.
        beams: [B, size] the last beam over each cell, as palette index, or 0; drawn anew.
        place: [B, N] each agent's cell.
        heading: [B, N]
        random: [B] the games' random states; changed.
        reward: [N, B] added to.
        fires: [B, N] fining beams fired, by firer; added to.
        hits: [B, N] agents hit, by firer; added to.
        cleaned: [B, N] waste cells cleaned, by cleaner; added to.
        order: [N] workspace: who fires, in turn.
    """
    for b in range(place.shape[0]):
        beams[b] = EMPTY
        firers = 0
        for k in range(place.shape[1]):
            if beam_of_action[actions[b, k]] != EMPTY:
                order[firers] = k
                firers += 1
        random[b] = _shuffle(order[:firers], random[b])
        for k in order[:firers]:
            beam = beam_of_action[actions[b, k]]
            here, ahead = place[b, k], forward[heading[b, k]]
            right = forward[(heading[b, k] + 1) & 3]
            if beam == FINING_BEAM:
                reward[k, b] -= fire_cost
                fires[b, k] += 1
            for start in (here + ahead, here - right, here + right):
                end = _light(start, ahead, length, beam, cells[b], agents[b], beams[b])
                if beam == CLEANING_BEAM and cells[b, end] == WASTE:
                    cells[b, end] = RIVER
                    cleaned[b, k] += 1
                if beam == FINING_BEAM and agents[b, end] != EMPTY:
                    reward[agents[b, end] - AGENT, b] -= fine
                    hits[b, k] += 1


@kernel
def _shuffle(order: Ints, state: np.uint64) -> np.uint64:
    for last in range(order.size - 1, 0, -1):
        state = after(state)
        other = below(state, last + 1)
        order[last], order[other] = order[other], order[last]
    return state


@kernel
def _light(
    start: int, ahead: int, length: int, beam: int, cells: Bytes, agents: Bytes, beams: Bytes
) -> int:
    """Draw one column of a beam, and return the cell that ended it: what it met, or its last."""
    cell = start
    for _ in range(length):
        if cells[cell] == WALL:
            return cell
        beams[cell] = beam
        met_waste = beam == CLEANING_BEAM and cells[cell] == WASTE
        if met_waste or agents[cell] != EMPTY:
            return cell
        cell += ahead
    return cell - ahead
