"""What the agents see: a window around each, rotated so that its heading points up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_envs.kernels.jit import kernel
from ssd_envs.palette import EMPTY
from ssd_envs.spec import VIEW, VIEW_RADIUS

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@kernel
def draw_views(
    forward_offset: Ints,
    stride: int,
    contents: Bytes,
    occupants: Bytes,
    beams: Bytes,
    position: Ints,
    heading: Ints,
    board: Bytes,
    pixels: Bytes,
    visible: npt.NDArray[np.bool_],
) -> None:
    """Draw the views of all agents of all games, and compute which agents see each other.

    Args:
        forward_offset: [4] what a step forward adds to a cell, by heading.
        stride: cells per padded row.
        contents: [B, size] what each cell holds.
        occupants: [B, size] the agent on each cell, as palette index, or 0.
        beams: [B, size] the last beam over each cell, as palette index, or 0.
        position: [B, N] each agent's cell.
        heading: [B, N]
        board: [size] workspace: the picture of one game's board.
        pixels: [N, B, VIEW, VIEW] palette indices; written.
        visible: [N, B, N] written.
    """
    for b in range(position.shape[0]):
        draw_board(contents[b], occupants[b], beams[b], board)
        for k in range(position.shape[1]):
            ahead = forward_offset[heading[b, k]]
            right = forward_offset[(heading[b, k] + 1) & 3]
            corner = position[b, k] + VIEW_RADIUS * (ahead - right)
            _draw_window(corner, -ahead, right, board, pixels[k, b])
        _find_visible(position[b], stride, visible[:, b])


@kernel
def _draw_window(corner: int, down: int, right: int, board: Bytes, window: Bytes) -> None:
    # Unsigned numbers wrap around, so negative steps work. With unsigned indices numba omits the
    # handling of Python's negative indices, which would take a third of the time.
    row = np.uint64(corner)
    for i in range(VIEW):
        cell = row
        for j in range(VIEW):
            window[i, j] = board[cell]
            cell += np.uint64(right)
        row += np.uint64(down)


@kernel
def draw_board(contents: Bytes, occupants: Bytes, beams: Bytes, board: Bytes) -> None:
    """Draw one game's board, [size] each: beams over agents over contents."""
    for i in range(board.size):
        below_beam = occupants[i] if occupants[i] != EMPTY else contents[i]
        board[i] = beams[i] if beams[i] != EMPTY else below_beam


@kernel
def _find_visible(position: Ints, stride: int, visible: npt.NDArray[np.bool_]) -> None:
    """Find which agents stand in each other's window. It is square, so headings do not matter."""
    for k in range(position.size):
        row, column = position[k] // stride, position[k] % stride
        for j in range(k + 1):
            rows_apart = abs(position[j] // stride - row)
            columns_apart = abs(position[j] % stride - column)
            seen = rows_apart <= VIEW_RADIUS and columns_apart <= VIEW_RADIUS
            visible[k, j] = seen
            visible[j, k] = seen
