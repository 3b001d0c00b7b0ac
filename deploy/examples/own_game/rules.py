"""The rules of the game: growth and sowing.

The orchard grows back by how much of it is left: each bare cell grows an apple with probability
growth × apples ÷ cells. So it yields most while half of it is left, and nothing once it is bare.
Then an agent has to sow: a bare cell ahead of it grows an apple with probability `sowing`. Any
agent can eat that apple.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.kernels.rng import next_state, uniform
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
        self._apple_cells = layout.cells_where(self._map.mask("o"))
        self._is_apple_cell = np.zeros(layout.size, np.bool_)
        self._is_apple_cell[self._apple_cells] = True
        self._forward_offset = layout.forward_offset
        self._sow_action = game_spec(settings).action_names.index("sow")
        self._growth = float(settings.own["growth"])
        self._sowing = float(settings.own["sowing"])

    def initial_contents(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        contents = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        contents[self._map.mask("#")] = WALL
        contents[self._map.mask("o")] = APPLE
        return contents

    def apply_actions(self, boards: Boards) -> None:
        """Sow, in the order of the agents' numbers."""
        sow(
            boards.actions == self._sow_action,
            self._forward_offset,
            self._is_apple_cell,
            self._sowing,
            boards.contents,
            boards.occupants,
            boards.position,
            boards.heading,
            boards.rng_state,
        )

    def grow(self, boards: Boards) -> None:
        """Grow apples in all games."""
        regrow_apples(
            self._apple_cells, self._growth, boards.contents, boards.occupants, boards.rng_state
        )


@kernel
def sow(
    sows: npt.NDArray[np.bool_],
    forward_offset: Ints,
    is_apple_cell: npt.NDArray[np.bool_],
    probability: float,
    contents: Bytes,
    occupants: Bytes,
    position: Ints,
    heading: Ints,
    rng_state: npt.NDArray[np.uint64],
) -> None:
    """Sow the bare apple cells ahead of the agents that sow.

    Args:
        sows: [B, N] whether each agent sows.
        forward_offset: [4] what a step forward adds to a cell, by heading.
        is_apple_cell: [size] whether a cell can bear apples.
        probability: that a sown cell grows an apple.
        contents: [B, size] what each cell holds; changed.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
        position: [B, N] each agent's cell.
        heading: [B, N]
        rng_state: [B] changed.
    """
    for b in range(position.shape[0]):
        for k in range(position.shape[1]):
            cell = position[b, k] + forward_offset[heading[b, k]]
            is_free = contents[b, cell] == EMPTY and occupants[b, cell] == EMPTY
            if sows[b, k] and is_apple_cell[cell] and is_free:
                rng_state[b] = next_state(rng_state[b])
                if uniform(rng_state[b]) < probability:
                    contents[b, cell] = APPLE


@kernel
def regrow_apples(
    apple_cells: Ints,
    growth: float,
    contents: Bytes,
    occupants: Bytes,
    rng_state: npt.NDArray[np.uint64],
) -> None:
    """Grow apples on bare apple cells without an agent; all cells decide from the same board.

    Args:
        apple_cells: [K] the cells that can bear apples.
        growth: the probability of each cell if none were bare.
        contents: [B, size] what each cell holds; changed.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
        rng_state: [B] changed.
    """
    for b in range(contents.shape[0]):
        apples = 0
        for cell in apple_cells:
            apples += contents[b, cell] == APPLE
        if apples == 0:
            continue
        probability = growth * apples / apple_cells.size
        for cell in apple_cells:
            if contents[b, cell] == EMPTY and occupants[b, cell] == EMPTY:
                rng_state[b] = next_state(rng_state[b])
                if uniform(rng_state[b]) < probability:
                    contents[b, cell] = APPLE
