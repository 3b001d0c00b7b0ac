"""Harvest: apples grow back where apples are near, and an orchard eaten bare stays bare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import after, unit
from ssd_envs.layout import Layout
from ssd_envs.palette import APPLE, EMPTY, WALL
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import GameSettings

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Harvest(Rules):
    """Harvest's own rules."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._orchard = layout.cells(self._map.marked("o"))
        self._near = layout.within(settings.growth_radius)
        self._chances = np.array(settings.regrowth)
        self._apples_near = np.zeros(layout.size, np.uint8)

    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        cells = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        cells[self._map.marked("#")] = WALL
        cells[self._map.marked("o")] = APPLE
        return cells

    def grow(self, boards: Boards) -> None:
        """Grow apples in all games."""
        regrow(
            self._orchard,
            self._near,
            self._chances,
            boards.cells,
            boards.agents,
            boards.random,
            self._apples_near,
        )


@kernel
def regrow(
    orchard: Ints,
    near: Ints,
    chances: npt.NDArray[np.float64],
    cells: Bytes,
    agents: Bytes,
    random: npt.NDArray[np.uint64],
    apples_near: Bytes,
) -> None:
    """Grow apples on bare orchard cells without an agent, all by the same board.

    Args:
        orchard: [K] the cells that can bear apples, ascending.
        near: [R] what leads from a cell to those near it.
        chances: [C] the chance to grow with 0, 1, ... apples near; the last one holds for more.
        cells: [B, size] what each cell holds; changed.
        agents: [B, size] who stands on each cell, as palette index, or 0.
        random: [B] the games' random states; changed.
        apples_near: [size] workspace: how many apples are near each cell of one game.
    """
    if orchard.size == 0:
        return
    for b in range(cells.shape[0]):
        _count_apples(orchard[0], orchard[-1] + 1, near, cells[b], apples_near)
        state = random[b]
        for cell in orchard:
            if cells[b, cell] == EMPTY and agents[b, cell] == EMPTY:
                chance = chances[min(apples_near[cell], chances.size - 1)]
                if chance > 0:
                    state = after(state)
                    if unit(state) < chance:
                        cells[b, cell] = APPLE
        random[b] = state


@kernel
def _count_apples(first: int, end: int, near: Ints, cells: Bytes, apples_near: Bytes) -> None:
    """Count the apples near every cell from first to before end.

    Board after shifted board, which the compiler turns into a few vector instructions: a bare
    orchard would take three times as long cell by cell.
    """
    counts = apples_near[first:end]
    counts[:] = 0
    for step in near:
        neighbours = cells[first + step : end + step]
        for i in range(counts.size):
            counts[i] += np.uint8(neighbours[i] == APPLE)
