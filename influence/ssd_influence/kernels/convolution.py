"""The 3×3 convolution, straight from palette indices.

A view has few colours, so a row of three pixels is one of P³. What each such row adds to the
channels when it is the top, the middle or the bottom of the window is reckoned once for given
weights; then a window is three rows looked up and added, instead of 27 products a channel. The
gradient goes the same way back: it is added up by row, and handed to the weights at the end. Next
to a window lies another whose rows often are the same, and an addition to what has just been added
to waits for it; so even and odd windows add to sums of their own.

Channels come in blocks of eight, which is what a vector register takes; `lanes` are channels
rounded up to that. Rows of output have `SLACK` floats behind them, into which a last block that
is not full runs over.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_influence.kernels.compilation import inlined, kernel
from ssd_influence.kernels.float_arrays import LANES, Floats, add_where_positive, relu_of_sum

BLOCK = LANES
SLACK = BLOCK - 1
LARGEST_PALETTE = 16  # P³ rows of three must stay in the processor's cache

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


def lanes(channels: int) -> int:
    """Channels rounded up to whole blocks."""
    return -(-channels // BLOCK) * BLOCK


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
        d_rows: [2, 3, P³, lanes], of even and of odd windows.
        palette: [P, 3].
        d_weight: [C, 3, 3, 3] out.
        d_bias: [C] out.
    """
    colours, width = len(palette), d_rows.shape[3]
    one = np.zeros((3, 3, colours, width), np.float32)
    for y in range(3):
        for row in range(colours**3):
            left = one[y, 0, row // (colours * colours)]
            middle = one[y, 1, row // colours % colours]
            right, d = one[y, 2, row % colours], d_rows[0, y, row] + d_rows[1, y, row]
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


@inlined
def _find_rows(view: U8, colours: int, width: int, row: npt.NDArray[np.int32]) -> None:
    """Where the row of `tabulate` stands whose three pixels begin at each pixel.

    Args:
        view: [V, V] palette indices.
        colours: P.
        width: lanes.
        row: [V · V] out; nonsense where a line of pixels ends before the row of three does.
    """
    pixels, colours_, width_ = view.reshape(-1), np.int32(colours), np.int32(width)
    for i in range(len(pixels) - 2):
        left, middle, right = pixels[i], pixels[i + 1], pixels[i + 2]
        row[i] = ((left * colours_ + middle) * colours_ + right) * width_


@kernel
def convolve(pixels: U8, rows: F32, colours: int, channels: int, out: Floats) -> None:
    """The convolution of M views, and ReLU.

    Args:
        pixels: [M, V, V] uint8 palette indices.
        rows: [3, P³, lanes] of `tabulate`.
        colours: P.
        channels: C.
        out: [at least M, at least (V−2)² · C + SLACK] out, float32 or bfloat16 as `floats` has it:
            by window, its channels side by side.
    """
    views, side, _ = pixels.shape
    windows, width = side - 2, rows.shape[2]
    top, middle, low = rows[0], rows[1], rows[2]
    row = np.zeros(side * side, np.int32)
    for m in range(views):
        _find_rows(pixels[m], colours, width, row)
        for block in range(width - BLOCK, -1, -BLOCK):  # what a last one runs over into comes later
            to = m * out.shape[1] + block
            for y in range(windows):
                for i in range(y * side, y * side + windows):
                    a, b, c = row[i] + block, row[i + side] + block, row[i + 2 * side] + block
                    relu_of_sum(top, middle, low, a, b, c, out, to)
                    to += channels


@inlined
def _add_window(
    d_rows: tuple[F32, F32, F32],
    row: npt.NDArray[np.int32],
    i: int,
    side: int,
    block: int,
    d_out: Floats,
    out: Floats,
    of: int,
) -> None:
    """The gradient of one block of one window, added to its three rows, each of [P³, lanes]."""
    top, middle, low = d_rows
    a, b, c = row[i] + block, row[i + side] + block, row[i + 2 * side] + block
    add_where_positive(top, middle, low, a, b, c, d_out, out, of)


@kernel
def convolve_back(
    pixels: U8, d_out: Floats, out: Floats, colours: int, channels: int, d_rows: F32
) -> None:
    """The gradient of `convolve`, added to that of the rows.

    Args:
        pixels: as `convolve` had them.
        d_out: like `out`.
        out: as `convolve` left it.
        colours: P.
        channels: C.
        d_rows: [2, 3, P³, lanes] in and out, by even and odd windows; lanes that are no channel
            gather nonsense.
    """
    views, side, _ = pixels.shape
    windows, width = side - 2, d_rows.shape[3]
    even = d_rows[0, 0], d_rows[0, 1], d_rows[0, 2]
    odd = d_rows[1, 0], d_rows[1, 1], d_rows[1, 2]
    row = np.zeros(side * side, np.int32)
    for m in range(views):
        _find_rows(pixels[m], colours, width, row)
        for block in range(0, width, BLOCK):
            begin = m * out.shape[1] + block
            for y in range(windows):
                i, of = y * side, begin + y * windows * channels
                for _ in range(windows // 2):
                    _add_window(even, row, i, side, block, d_out, out, of)
                    _add_window(odd, row, i + 1, side, block, d_out, out, of + channels)
                    i, of = i + 2, of + 2 * channels
                if windows % 2:
                    _add_window(even, row, i, side, block, d_out, out, of)
