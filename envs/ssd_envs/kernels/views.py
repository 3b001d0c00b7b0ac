"""What the agents see: a window around each, turned so that its heading points up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.palette import EMPTY
from ssd_envs.spec import VIEW

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

RADIUS = VIEW // 2


@kernel
def draw(
    forward: Ints,
    stride: int,
    cells: Bytes,
    agents: Bytes,
    beams: Bytes,
    place: Ints,
    heading: Ints,
    canvas: Bytes,
    pixels: Bytes,
    visible: npt.NDArray[np.bool_],
) -> None:
    """Draw the views of all agents of all games, and who sees whom.

    Args:
        forward: [4] what a step ahead adds to a cell, by heading.
        stride: cells per padded row.
        cells: [B, size] what each cell holds.
        agents: [B, size] who stands on each cell, as palette index, or 0.
        beams: [B, size] the last beam over each cell, as palette index, or 0.
        place: [B, N] each agent's cell.
        heading: [B, N]
        canvas: [size] workspace: one game's board as it looks.
        pixels: [N, B, VIEW, VIEW] palette indices; written.
        visible: [N, B, N] written.
    """
    for b in range(place.shape[0]):
        overlay(cells[b], agents[b], beams[b], canvas)
        for k in range(place.shape[1]):
            ahead, right = forward[heading[b, k]], forward[(heading[b, k] + 1) & 3]
            corner = place[b, k] + RADIUS * (ahead - right)
            _draw_window(corner, -ahead, right, canvas, pixels[k, b])
        _look_around(place[b], stride, visible[:, b])


@kernel
def _draw_window(corner: int, down: int, right: int, canvas: Bytes, window: Bytes) -> None:
    # Unsigned numbers wrap around, so that steps back work too; and numba, knowing that an index
    # is not negative, leaves out what Python's negative indices would cost (a third of the time).
    row = np.uint64(corner)
    for i in range(VIEW):
        cell = row
        for j in range(VIEW):
            window[i, j] = canvas[cell]
            cell += np.uint64(right)
        row += np.uint64(down)


@kernel
def overlay(cells: Bytes, agents: Bytes, beams: Bytes, canvas: Bytes) -> None:
    """Lay beams over agents over contents: [size] each, into canvas."""
    for i in range(canvas.size):
        standing = agents[i] if agents[i] != EMPTY else cells[i]
        canvas[i] = beams[i] if beams[i] != EMPTY else standing


@kernel
def _look_around(place: Ints, stride: int, visible: npt.NDArray[np.bool_]) -> None:
    """Who stands in whose window: a square, so whichever way they turn, they see each other."""
    for k in range(place.size):
        row, column = place[k] // stride, place[k] % stride
        for j in range(k + 1):
            down = abs(place[j] // stride - row)
            across = abs(place[j] % stride - column)
            seen = down <= RADIUS and across <= RADIUS
            visible[k, j] = seen
            visible[j, k] = seen
