"""The start of an episode: each agent on a start cell of its own, with a random heading."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import next_state, random_bits, random_integer
from ssd_envs.palette import AGENT, EMPTY

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@kernel
def spawn_agents(
    indices: Ints,
    seeds: npt.NDArray[np.uint64],
    initial_contents: Bytes,
    start_cells: Ints,
    numbered: bool,
    contents: Bytes,
    occupants: Bytes,
    beams: Bytes,
    position: Ints,
    heading: Ints,
    rng_state: npt.NDArray[np.uint64],
    shuffled_cells: Ints,
) -> None:
    """Start new episodes in some of the games.

    Args:
        indices: [M] which games.
        seeds: [M] one per episode.
        initial_contents: [size] what each cell holds at reset.
        start_cells: [S] the cells where agents start.
        numbered: whether agent k starts on the k-th of these; otherwise the cells are drawn.
        contents: [B, size] written.
        occupants: [B, size] the agent on each cell, as palette index, or 0; written.
        beams: [B, size] cleared.
        position: [B, N] each agent's cell; written.
        heading: [B, N] written.
        rng_state: [B] written.
        shuffled_cells: [S] workspace.
    """
    for i in range(indices.size):
        b = indices[i]
        contents[b] = initial_contents
        occupants[b] = EMPTY
        beams[b] = EMPTY
        shuffled_cells[:] = start_cells
        # A hash of the seed, so that neighbouring seeds do not give overlapping sequences.
        state = random_bits(next_state(seeds[i]))
        for k in range(position.shape[1]):
            if not numbered:
                state = next_state(state)
                drawn = k + random_integer(state, shuffled_cells.size - k)
                shuffled_cells[k], shuffled_cells[drawn] = shuffled_cells[drawn], shuffled_cells[k]
            state = next_state(state)
            heading[b, k] = random_integer(state, 4)
            position[b, k] = shuffled_cells[k]
            occupants[b, shuffled_cells[k]] = AGENT + k
        rng_state[b] = state
