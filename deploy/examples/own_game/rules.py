"""What the game adds to moving, eating and fining.

The orchard grows back by how much of it is left: each bare cell bears again with the chance
growth × apples ÷ cells. So it yields most while half of it stands, and nothing once it is bare.
Then somebody has to sow: a bare cell ahead of whoever does bears with the chance `sowing`, for
anyone to eat.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import after, unit
from ssd_envs.layout import Layout
from ssd_envs.palette import APPLE, EMPTY, WALL
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import GameSettings, game_spec

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class Commons(Rules):
    """The rules of `own_game.game:COMMONS`."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._orchard = layout.cells(self._map.marked("o"))
        self._fertile = np.zeros(layout.size, np.bool_)
        self._fertile[self._orchard] = True
        self._forward = layout.forward
        self._sow = game_spec(settings).action_names.index("sow")
        self._growth = float(settings.own["growth"])
        self._sowing = float(settings.own["sowing"])

    def first_cells(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        cells = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        cells[self._map.marked("#")] = WALL
        cells[self._map.marked("o")] = APPLE
        return cells

    def act(self, boards: Boards) -> None:
        """Sow, in the order of the agents' numbers."""
        sow(
            boards.actions == self._sow,
            self._forward,
            self._fertile,
            self._sowing,
            boards.cells,
            boards.agents,
            boards.place,
            boards.heading,
            boards.random,
        )

    def grow(self, boards: Boards) -> None:
        """Let the orchard grow back."""
        regrow(self._orchard, self._growth, boards.cells, boards.agents, boards.random)


@kernel
def sow(
    sows: npt.NDArray[np.bool_],
    forward: Ints,
    fertile: npt.NDArray[np.bool_],
    chance: float,
    cells: Bytes,
    agents: Bytes,
    place: Ints,
    heading: Ints,
    random: npt.NDArray[np.uint64],
) -> None:
    """Sow the bare cells that lie ahead of those who do.

    Args:
        sows: [B, N] whether each agent does.
        forward: [4] what a step ahead adds to a cell, by heading.
        fertile: [size] whether a cell can bear apples.
        chance: that it does.
        cells: [B, size] what each cell holds; changed.
        agents: [B, size] who stands on each cell, as palette index, or 0.
        place: [B, N] each agent's cell.
        heading: [B, N]
        random: [B] the games' random states; changed.
    """
    for b in range(place.shape[0]):
        for k in range(place.shape[1]):
            ahead = place[b, k] + forward[heading[b, k]]
            bare = fertile[ahead] and cells[b, ahead] == EMPTY and agents[b, ahead] == EMPTY
            if sows[b, k] and bare:
                random[b] = after(random[b])
                if unit(random[b]) < chance:
                    cells[b, ahead] = APPLE


@kernel
def regrow(
    orchard: Ints,
    growth: float,
    cells: Bytes,
    agents: Bytes,
    random: npt.NDArray[np.uint64],
) -> None:
    """Grow apples on bare orchard cells without an agent, all by the same board.

    Args:
        orchard: [K] the cells that can bear apples.
        growth: each one's chance if none were bare.
        cells: [B, size] what each cell holds; changed.
        agents: [B, size] who stands on each cell, as palette index, or 0.
        random: [B] the games' random states; changed.
    """
    for b in range(cells.shape[0]):
        apples = 0
        for cell in orchard:
            apples += cells[b, cell] == APPLE
        if apples == 0:
            continue
        chance = growth * apples / orchard.size
        for cell in orchard:
            if cells[b, cell] == EMPTY and agents[b, cell] == EMPTY:
                random[b] = after(random[b])
                if unit(random[b]) < chance:
                    cells[b, cell] = APPLE
