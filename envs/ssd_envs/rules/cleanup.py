"""Cleanup: apples grow only while the river is clean, and waste keeps coming."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import after, below, unit
from ssd_envs.layout import Layout
from ssd_envs.palette import APPLE, EMPTY, RIVER, WALL, WASTE
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Cleanup(Rules):
    """Cleanup's own rules."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._orchard = layout.cells(self._map.marked("o"))
        self._river = layout.cells(self._map.marked("~w"))
        self._apple_growth = settings.apple_growth
        self._waste_growth = settings.waste_growth
        self._waste_limit = settings.waste_limit

    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        cells = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        cells[self._map.marked("#")] = WALL
        cells[self._map.marked("~=")] = RIVER
        cells[self._map.marked("w")] = WASTE
        return cells

    def grow(self, boards: Boards) -> None:
        """Grow apples and waste in all games."""
        grow_and_spoil(
            self._orchard,
            self._river,
            self._apple_growth,
            self._waste_growth,
            self._waste_limit,
            boards.cells,
            boards.agents,
            boards.random,
        )


@kernel
def grow_and_spoil(
    orchard: Ints,
    river: Ints,
    apple_growth: float,
    waste_growth: float,
    waste_limit: float,
    cells: Bytes,
    agents: Bytes,
    random: npt.NDArray[np.uint64],
) -> None:
    """Grow apples and at most one waste cell, unless there is too much waste already.

    Args:
        orchard: [K] the cells that can bear apples.
        river: [W] the cells that can hold waste.
        apple_growth: each bare orchard cell's chance when there is no waste.
        waste_growth: the chance of each clean cell that is tried for new waste.
        waste_limit: the share of waste cells from which on nothing grows.
        cells: [B, size] what each cell holds; changed.
        agents: [B, size] who stands on each cell, as palette index, or 0.
        random: [B] the games' random states; changed.
    """
    for b in range(cells.shape[0]):
        waste = 0
        for cell in river:
            waste += cells[b, cell] == WASTE
        density = waste / river.size if river.size > 0 else 0.0
        if density >= waste_limit:
            continue
        chance = apple_growth * (1 - density / waste_limit)
        state = random[b]
        for cell in orchard:
            if cells[b, cell] == EMPTY and agents[b, cell] == EMPTY:
                state = after(state)
                if unit(state) < chance:
                    cells[b, cell] = APPLE
        random[b] = _spoil(river, river.size - waste, waste_growth, cells[b], state)


@kernel
def _spoil(
    river: Ints, clean: int, waste_growth: float, cells: Bytes, state: np.uint64
) -> np.uint64:
    """Try the clean cells in random order until one turns to waste.

    Which one does is as random as the order, whichever try succeeds: so the tries are counted
    first, and then one cell is drawn.
    """
    for _ in range(clean):
        state = after(state)
        if unit(state) < waste_growth:
            state = after(state)
            chosen = below(state, clean)
            for cell in river:
                if cells[cell] != WASTE:
                    if chosen == 0:
                        cells[cell] = WASTE
                        return state
                    chosen -= 1
    return state
