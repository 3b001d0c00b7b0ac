"""The start of an episode: everyone on a start cell of its own, heading anywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import after, below, bits
from ssd_envs.palette import AGENT, EMPTY

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@kernel
def spawn(
    games: Ints,
    seeds: npt.NDArray[np.uint64],
    first_cells: Bytes,
    starts: Ints,
    numbered: bool,
    cells: Bytes,
    agents: Bytes,
    beams: Bytes,
    place: Ints,
    heading: Ints,
    random: npt.NDArray[np.uint64],
    deck: Ints,
) -> None:
    """Start new episodes in some of the games.

    Args:
        games: [M] which.
        seeds: [M] what each episode's luck follows from.
        first_cells: [size] what each cell holds at first.
        starts: [S] the cells where agents start.
        numbered: whether the n-th of these is agent n's; otherwise each draws one of them.
        cells: [B, size] written.
        agents: [B, size] who stands on each cell, as palette index, or 0; written.
        beams: [B, size] cleared.
        place: [B, N] each agent's cell; written.
        heading: [B, N] written.
        random: [B] the games' random states; written.
        deck: [S] workspace.
    """
    for i in range(games.size):
        b = games[i]
        cells[b] = first_cells
        agents[b] = EMPTY
        beams[b] = EMPTY
        deck[:] = starts
        state = bits(after(seeds[i]))
        for k in range(place.shape[1]):
            if not numbered:
                state = after(state)
                drawn = k + below(state, deck.size - k)
                deck[k], deck[drawn] = deck[drawn], deck[k]
            state = after(state)
            heading[b, k] = below(state, 4)
            place[b, k] = deck[k]
            agents[b, deck[k]] = AGENT + k
        random[b] = state
