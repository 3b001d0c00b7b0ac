"""Cleanup: apples grow only while the river is clean enough, and waste keeps appearing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import next_state, random_integer, uniform
from ssd_envs.layout import Layout
from ssd_envs.palette import APPLE, EMPTY, RIVER, WALL, WASTE
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Cleanup(Rules):
    """The rules of Cleanup."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._apple_cells = layout.cells_where(self._map.mask("o"))
        self._river_cells = layout.cells_where(self._map.mask("~w"))
        self._apple_growth = settings.apple_growth
        self._waste_growth = settings.waste_growth
        self._waste_limit = settings.waste_limit

    def initial_contents(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        contents = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        contents[self._map.mask("#")] = WALL
        contents[self._map.mask("~=")] = RIVER
        contents[self._map.mask("w")] = WASTE
        return contents

    def grow(self, boards: Boards) -> None:
        """Grow apples and add waste in all games."""
        grow_apples_and_waste(
            self._apple_cells,
            self._river_cells,
            self._apple_growth,
            self._waste_growth,
            self._waste_limit,
            boards.contents,
            boards.occupants,
            boards.rng_state,
        )


@kernel
def grow_apples_and_waste(
    apple_cells: Ints,
    river_cells: Ints,
    apple_growth: float,
    waste_growth: float,
    waste_limit: float,
    contents: Bytes,
    occupants: Bytes,
    rng_state: npt.NDArray[np.uint64],
) -> None:
    """Grow apples and at most one new waste cell, unless there is too much waste already.

    Args:
        apple_cells: [K] the cells that can bear apples.
        river_cells: [W] the cells that can hold waste.
        apple_growth: the probability that a bare apple cell grows an apple when there is no waste.
        waste_growth: the probability that a clean cell, when tried, turns to waste.
        waste_limit: the waste density from which on nothing grows.
        contents: [B, size] what each cell holds; changed.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
        rng_state: [B] changed.
    """
    for b in range(contents.shape[0]):
        waste = 0
        for cell in river_cells:
            waste += contents[b, cell] == WASTE
        density = waste / river_cells.size if river_cells.size > 0 else 0.0
        if density >= waste_limit:
            continue
        probability = apple_growth * (1 - density / waste_limit)
        state = rng_state[b]
        for cell in apple_cells:
            if contents[b, cell] == EMPTY and occupants[b, cell] == EMPTY:
                state = next_state(state)
                if uniform(state) < probability:
                    contents[b, cell] = APPLE
        num_clean = river_cells.size - waste
        rng_state[b] = _add_waste(river_cells, num_clean, waste_growth, contents[b], state)


@kernel
def _add_waste(
    river_cells: Ints, num_clean: int, waste_growth: float, contents: Bytes, state: np.uint64
) -> np.uint64:
    """Try the clean cells in random order until one turns to waste.

    In a random order each cell is equally likely to be the one, whichever try succeeds. So this
    draws first whether a try succeeds, and then the cell.
    """
    for _ in range(num_clean):
        state = next_state(state)
        if uniform(state) < waste_growth:
            state = next_state(state)
            chosen = random_integer(state, num_clean)
            for cell in river_cells:
                if contents[cell] != WASTE:
                    if chosen == 0:
                        contents[cell] = WASTE
                        return state
                    chosen -= 1
    return state
