"""The 3×3 convolution, straight from palette indices.

A view has few colours, so a row of three pixels is one of P³. What each such row adds to the
channels when it is the top, the middle or the bottom of the window is reckoned once for given
weights; then a window is three rows looked up and added, instead of 27 products a channel. The
gradient goes the same way back: it is added up by row, and handed to the weights at the end.

Channels come in blocks of eight, which is what a vector register takes; `lanes` are channels
rounded up to that. Rows of output have `SLACK` floats behind them, into which a last block that
is not full runs over.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_influence.kernels.kernel import inlined, kernel

BLOCK = 8
SLACK = BLOCK - 1
LARGEST_PALETTE = 16  # P³ rows of three must stay in the processor's cache

F32 = npt.NDArray[np.float32]


def lanes(channels: int) -> int:
    """Channels rounded up to whole blocks."""
    return -(-channels // BLOCK) * BLOCK


@inlined
def _number_rows(view: npt.NDArray[np.uint8], colours: int, row: npt.NDArray[np.int32]) -> None:
    """[V, V] palette indices → [V, V−2] which of the P³ rows of three begins at each pixel."""
    side, windows = row.shape
    for y in range(side):
        for x in range(windows):
            row[y, x] = (view[y, x] * colours + view[y, x + 1]) * colours + view[y, x + 2]


@kernel
def tabulate(weight: F32, bias: F32, palette: F32, rows: F32) -> None:
    """What each row of three pixels adds to each channel.

    Args:
        weight: [C, 3, 3, 3] in torch's order: output channel, colour, window row, window column.
        bias: [C], counted with the top row.
        palette: [P, 3] colours.
        rows: [3, P³, lanes] out: by place in the window, by pixels (left, middle, right).
    """
    colours, width = len(palette), rows.shape[2]
    one = np.zeros((3, 3, colours, width), np.float32)  # what one pixel adds
    for c in range(weight.shape[0]):
        for y in range(3):
            for x in range(3):
                for p in range(colours):
                    for i in range(3):
                        one[y, x, p, c] += weight[c, i, y, x] * palette[p, i]
        for p in range(colours):
            one[0, 0, p, c] += bias[c]
    for y in range(3):
        for row in range(colours**3):
            left = one[y, 0, row // (colours * colours)]
            middle = one[y, 1, row // colours % colours]
            right, out = one[y, 2, row % colours], rows[y, row]
            for c in range(width):
                out[c] = left[c] + middle[c] + right[c]


@kernel
def untabulate(d_rows: F32, palette: F32, d_weight: F32, d_bias: F32) -> None:
    """The gradient of `tabulate`: of the weights, from that of the rows.

    Args:
        d_rows: [3, P³, lanes].
        palette: [P, 3].
        d_weight: [C, 3, 3, 3] out.
        d_bias: [C] out.
    """
    colours, width = len(palette), d_rows.shape[2]
    one = np.zeros((3, 3, colours, width), np.float32)
    for y in range(3):
        for row in range(colours**3):
            left = one[y, 0, row // (colours * colours)]
            middle = one[y, 1, row // colours % colours]
            right, d = one[y, 2, row % colours], d_rows[y, row]
            for c in range(width):
                left[c] += d[c]
            for c in range(width):
                middle[c] += d[c]
            for c in range(width):
                right[c] += d[c]
    d_weight[:] = 0
    d_bias[:] = 0
    for c in range(d_weight.shape[0]):
        for p in range(colours):
            d_bias[c] += one[0, 0, p, c]
            for y in range(3):
                for x in range(3):
                    for i in range(3):
                        d_weight[c, i, y, x] += one[y, x, p, c] * palette[p, i]


@kernel
def convolve(
    pixels: npt.NDArray[np.uint8], rows: F32, colours: int, channels: int, out: F32
) -> None:
    """The convolution of M views.

    Args:
        pixels: [M, V, V] uint8 palette indices.
        rows: [3, P³, lanes] of `tabulate`.
        colours: P.
        channels: C.
        out: [at least M, (V−2)² · C + SLACK] out: by window, its channels side by side.
    """
    views, side, _ = pixels.shape
    windows = side - 2
    row = np.empty((side, windows), np.int32)
    for m in range(views):
        _number_rows(pixels[m], colours, row)
        begin = 0
        for y in range(windows):
            for x in range(windows):
                for block in range(0, rows.shape[2], BLOCK):
                    top = rows[0, row[y, x], block : block + BLOCK]
                    middle = rows[1, row[y + 1, x], block : block + BLOCK]
                    bottom = rows[2, row[y + 2, x], block : block + BLOCK]
                    to = out[m, begin + block : begin + block + BLOCK]
                    for c in range(BLOCK):
                        to[c] = top[c] + middle[c] + bottom[c]
                begin += channels


@kernel
def convolve_back(
    pixels: npt.NDArray[np.uint8], d_out: F32, colours: int, channels: int, d_rows: F32
) -> None:
    """The gradient of `convolve`, added to that of the rows.

    Args:
        pixels: as `convolve` had them.
        d_out: [at least M, (V−2)² · C + SLACK].
        colours: P.
        channels: C.
        d_rows: [3, P³, lanes] in and out; lanes that are no channel gather nonsense.
    """
    views, side, _ = pixels.shape
    windows = side - 2
    row = np.empty((side, windows), np.int32)
    for m in range(views):
        _number_rows(pixels[m], colours, row)
        begin = 0
        for y in range(windows):
            for x in range(windows):
                for block in range(0, d_rows.shape[2], BLOCK):
                    top = d_rows[0, row[y, x], block : block + BLOCK]
                    middle = d_rows[1, row[y + 1, x], block : block + BLOCK]
                    bottom = d_rows[2, row[y + 2, x], block : block + BLOCK]
                    d = d_out[m, begin + block : begin + block + BLOCK]
                    for c in range(BLOCK):
                        top[c] += d[c]
                    for c in range(BLOCK):
                        middle[c] += d[c]
                    for c in range(BLOCK):
                        bottom[c] += d[c]
                begin += channels
