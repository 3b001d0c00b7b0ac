"""Harvest: apples grow back only near other apples, so an orchard that is eaten bare stays bare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import next_state, uniform
from ssd_envs.layout import Layout
from ssd_envs.palette import APPLE, EMPTY, WALL
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Harvest(Rules):
    """The rules of Harvest."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._apple_cells = layout.cells_where(self._map.mask("o"))
        self._neighbour_offsets = layout.neighbour_offsets(settings.growth_radius)
        self._probabilities = np.array(settings.regrowth)
        self._nearby_apples = np.zeros(layout.size, np.uint8)

    def initial_contents(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        contents = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        contents[self._map.mask("#")] = WALL
        contents[self._map.mask("o")] = APPLE
        return contents

    def grow(self, boards: Boards) -> None:
        """Grow apples in all games."""
        regrow_apples(
            self._apple_cells,
            self._neighbour_offsets,
            self._probabilities,
            boards.contents,
            boards.occupants,
            boards.rng_state,
            self._nearby_apples,
        )


@kernel
def regrow_apples(
    apple_cells: Ints,
    neighbour_offsets: Ints,
    probabilities: npt.NDArray[np.float64],
    contents: Bytes,
    occupants: Bytes,
    rng_state: npt.NDArray[np.uint64],
    nearby_apples: Bytes,
) -> None:
    """Grow apples on bare apple cells without an agent; all cells decide from the same board.

    Args:
        apple_cells: [K] the cells that can bear apples, ascending.
        neighbour_offsets: [R] what to add to a cell for each of its neighbours.
        probabilities: [C] of growth with 0, 1, ... apples nearby; the last one holds for more.
        contents: [B, size] what each cell holds; changed.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
        rng_state: [B] changed.
        nearby_apples: [size] workspace: how many apples are near each cell of one game.
    """
    if apple_cells.size == 0:
        return
    first, end = apple_cells[0], apple_cells[-1] + 1
    for b in range(contents.shape[0]):
        _count_nearby_apples(first, end, neighbour_offsets, contents[b], nearby_apples)
        state = rng_state[b]
        for cell in apple_cells:
            if contents[b, cell] == EMPTY and occupants[b, cell] == EMPTY:
                probability = probabilities[min(nearby_apples[cell], probabilities.size - 1)]
                if probability > 0:
                    state = next_state(state)
                    if uniform(state) < probability:
                        contents[b, cell] = APPLE
        rng_state[b] = state


@kernel
def _count_nearby_apples(
    first: int, end: int, neighbour_offsets: Ints, contents: Bytes, nearby_apples: Bytes
) -> None:
    """Count the apples near every cell from `first` up to, but not including, `end`.

    The outer loop is over the offsets, so that the inner one compiles to vector instructions.
    On a bare orchard, a loop over cells would take three times as long.
    """
    counts = nearby_apples[first:end]
    counts[:] = 0
    for offset in neighbour_offsets:
        neighbours = contents[first + offset : end + offset]
        for i in range(counts.size):
            counts[i] += np.uint8(neighbours[i] == APPLE)
