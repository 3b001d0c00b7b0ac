"""Box Trapped: apples grow back at once, but agent 1 sits in a box that only agent 0 can open.

`ssd_envs.rules.doors` has the action that opens the box.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.layout import Layout
from ssd_envs.maps.game_map import DOOR
from ssd_envs.palette import APPLE, EMPTY, WALL
from ssd_envs.rules.doors import open_doors
from ssd_envs.rules.interface import Boards, Rules
from ssd_envs.spec import EVENTS, GameSettings, game_spec

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


class BoxTrapped(Rules):
    """The rules of Box Trapped."""

    def __init__(self, settings: GameSettings, layout: Layout) -> None:
        self._map = settings.parsed_map()
        self._apple_cells = layout.cells_where(self._map.mask("o"))
        self._door_cells = layout.cells_where(self._map.mask(DOOR))
        self._open_action = game_spec(settings).action_names.index("open_box")

    def initial_contents(self) -> Bytes:
        """What each cell holds at reset, as palette index: uint8 [height, width]."""
        contents = np.full((self._map.height, self._map.width), EMPTY, np.uint8)
        contents[self._map.mask("#D")] = WALL
        contents[self._map.mask("o")] = APPLE
        return contents

    def apply_actions(self, boards: Boards) -> None:
        """Open the box in all games where agent 0 does so."""
        open_doors(
            boards.actions,
            self._open_action,
            self._door_cells,
            boards.episode_step,
            boards.contents,
            boards.counts[EVENTS.index("opened_at")],
        )

    def grow(self, boards: Boards) -> None:
        """Grow apples in all games; nothing is random here."""
        refill_apples(self._apple_cells, boards.contents, boards.occupants)


@kernel
def refill_apples(apple_cells: Ints, contents: Bytes, occupants: Bytes) -> None:
    """Grow an apple on every apple cell without an agent.

    Args:
        apple_cells: [K] the cells that can bear apples.
        contents: [B, size] what each cell holds; changed.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
    """
    for b in range(contents.shape[0]):
        for cell in apple_cells:
            if occupants[b, cell] == EMPTY:
                contents[b, cell] = APPLE
