"""Doors, which one agent can open for another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.palette import EMPTY, WALL

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

OPENER = 0
"""The only agent that can open doors: the free one."""


@kernel
def open_doors(
    actions: Bytes,
    open_action: int,
    door_cells: Ints,
    episode_step: npt.NDArray[np.int32],
    contents: Bytes,
    opened_at: Ints,
) -> None:
    """Open the doors of all games where the opener takes this action, wherever it stands.

    A shut door is a wall and looks like one. An open door is floor, for the rest of the episode.

    Args:
        actions: [B, N] each agent's action.
        open_action: the action that opens the doors.
        door_cells: [D]
        episode_step: [B] steps of the episode before this one.
        contents: [B, size] what each cell holds; changed.
        opened_at: [B, N] the step, from 1, at which each agent opened a door, or 0; written.
    """
    for b in range(actions.shape[0]):
        if actions[b, OPENER] == open_action:
            for cell in door_cells:
                if contents[b, cell] == WALL:
                    contents[b, cell] = EMPTY
                    opened_at[b, OPENER] = episode_step[b] + 1
