"""Doors: what one agent can open for another."""

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
    opening: int,
    doors: Ints,
    clock: npt.NDArray[np.int32],
    cells: Bytes,
    opened_at: Ints,
) -> None:
    """Open the doors of all games whose opener acts so, from wherever it stands.

    A shut door is a wall, to look at as well; an open one is floor, and stays so.

    Args:
        actions: [B, N] what each agent does.
        opening: the action that opens.
        doors: [D] the cells of the doors.
        clock: [B] steps into the episode before this one.
        cells: [B, size] what each cell holds; changed.
        opened_at: [B, N] the step, from 1, at which each agent opened a door, or 0; written.
    """
    for b in range(actions.shape[0]):
        if actions[b, OPENER] == opening:
            for door in doors:
                if cells[b, door] == WALL:
                    cells[b, door] = EMPTY
                    opened_at[b, OPENER] = clock[b] + 1
