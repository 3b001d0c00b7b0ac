"""The 3×3 convolution of views given as palette indices, and its gradient.

A view has few colours P, so a row of three pixels takes one of P³ values. For given weights, a
table holds what each such row adds to the channels as the top, middle or bottom row of a window.
A window's output is then three table rows added, instead of 27 products per channel. The gradient
goes the same way back: it is summed per table row, and converted to the weights' gradient once at
the end. Neighbouring windows often share their rows, and an addition to a value that has just been
written must wait for it. So even and odd windows add to separate sums.

Channels are processed in blocks of eight, the width of a vector register, and padded to whole
blocks. Each row of output has `SLACK` floats behind it, into which an incomplete last block
overflows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ssd_influence.array_types import F32, U8
from ssd_influence.kernels.compilation import inlined, kernel
from ssd_influence.kernels.float_arrays import (
    VECTOR_WIDTH,
    Floats,
    add_where_positive,
    relu_of_sum,
)

BLOCK = VECTOR_WIDTH
SLACK = BLOCK - 1
LARGEST_PALETTE = 16  # a table of P³ rows has to fit the processor's cache


def padded(channels: int) -> int:
    """Channels rounded up to whole blocks."""
    return -(-channels // BLOCK) * BLOCK


@kernel
def build_row_table(weight: F32, bias: F32, palette: F32, table: F32) -> None:
    """What each row of three pixels adds to each channel.

    Args:
        weight: [C, 3, 3, 3] in torch's order: output channel, colour, window row, window column.
        bias: [C], added with the top row.
        palette: [P, 3] colours.
        table: [3, P³, padded C] out: by row of the window, by pixels (left, middle, right).
    """
    colours, width = len(palette), table.shape[2]
    pixel = np.zeros((3, 3, colours, width), np.float32)  # what one pixel adds
    for c in range(weight.shape[0]):
        for y in range(3):
            for x in range(3):
                for p in range(colours):
                    for i in range(3):
                        pixel[y, x, p, c] += weight[c, i, y, x] * palette[p, i]
        for p in range(colours):
            pixel[0, 0, p, c] += bias[c]
    for y in range(3):
        for row in range(colours**3):
            left = pixel[y, 0, row // (colours * colours)]
            middle = pixel[y, 1, row // colours % colours]
            right, out = pixel[y, 2, row % colours], table[y, row]
            for c in range(width):
                out[c] = left[c] + middle[c] + right[c]


@kernel
def row_table_gradient(d_table: F32, palette: F32, d_weight: F32, d_bias: F32) -> None:
    """The gradient of `build_row_table`: from the table's to the weights'.

    Args:
        d_table: [2, 3, P³, padded C], of even and of odd windows.
        palette: [P, 3].
        d_weight: [C, 3, 3, 3] out.
        d_bias: [C] out.
    """
    colours, width = len(palette), d_table.shape[3]
    pixel = np.zeros((3, 3, colours, width), np.float32)
    for y in range(3):
        for row in range(colours**3):
            left = pixel[y, 0, row // (colours * colours)]
            middle = pixel[y, 1, row // colours % colours]
            right, d = pixel[y, 2, row % colours], d_table[0, y, row] + d_table[1, y, row]
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
            d_bias[c] += pixel[0, 0, p, c]
            for y in range(3):
                for x in range(3):
                    for i in range(3):
                        d_weight[c, i, y, x] += pixel[y, x, p, c] * palette[p, i]


@inlined
def _row_offsets(view: U8, colours: int, width: int, offset: npt.NDArray[np.int32]) -> None:
    """The offset in the table of the row of three pixels that begins at each pixel.

    Args:
        view: [V, V] palette indices.
        colours: P.
        width: padded C.
        offset: [V · V] out; meaningless where a row of three would cross the view's edge.
    """
    pixels, colours_, width_ = view.reshape(-1), np.int32(colours), np.int32(width)
    for i in range(len(pixels) - 2):
        left, middle, right = pixels[i], pixels[i + 1], pixels[i + 2]
        offset[i] = ((left * colours_ + middle) * colours_ + right) * width_


@kernel
def convolve_relu(pixels: U8, table: F32, colours: int, channels: int, out: Floats) -> None:
    """The convolution of M views, and ReLU.

    Args:
        pixels: [M, V, V] uint8 palette indices.
        table: [3, P³, padded C] of `build_row_table`.
        colours: P.
        channels: C.
        out: [at least M, at least (V−2)² · C + SLACK] out, float32 or bfloat16 (see
            `float_arrays`): window by window, channels innermost.
    """
    views, side, _ = pixels.shape
    windows, width = side - 2, table.shape[2]
    top, middle, bottom = table[0], table[1], table[2]
    offset = np.zeros(side * side, np.int32)
    for m in range(views):
        _row_offsets(pixels[m], colours, width, offset)
        # The last block goes first, so that later blocks overwrite its overflow.
        for block in range(width - BLOCK, -1, -BLOCK):
            to = m * out.shape[1] + block
            for y in range(windows):
                for i in range(y * side, y * side + windows):
                    a = offset[i] + block
                    b, c = offset[i + side] + block, offset[i + 2 * side] + block
                    relu_of_sum(top, middle, bottom, a, b, c, out, to)
                    to += channels


@inlined
def _add_window(
    d_table: tuple[F32, F32, F32],
    offset: npt.NDArray[np.int32],
    i: int,
    side: int,
    block: int,
    d_out: Floats,
    out: Floats,
    at: int,
) -> None:
    """Add the gradient of one block of one window to its three table rows, each of [P³, C]."""
    top, middle, bottom = d_table
    a, b, c = offset[i] + block, offset[i + side] + block, offset[i + 2 * side] + block
    add_where_positive(top, middle, bottom, a, b, c, d_out, out, at)


@kernel
def convolve_relu_gradient(
    pixels: U8, d_out: Floats, out: Floats, colours: int, channels: int, d_table: F32
) -> None:
    """The gradient of `convolve_relu`, added to that of the table.

    Args:
        pixels: the input of `convolve_relu`.
        d_out: like `out`.
        out: the output of `convolve_relu`.
        colours: P.
        channels: C.
        d_table: [2, 3, P³, padded C] in and out, of even and odd windows; padding channels hold
            meaningless sums.
    """
    views, side, _ = pixels.shape
    windows, width = side - 2, d_table.shape[3]
    even = d_table[0, 0], d_table[0, 1], d_table[0, 2]
    odd = d_table[1, 0], d_table[1, 1], d_table[1, 2]
    offset = np.zeros(side * side, np.int32)
    for m in range(views):
        _row_offsets(pixels[m], colours, width, offset)
        for block in range(0, width, BLOCK):
            begin = m * out.shape[1] + block
            for y in range(windows):
                i, at = y * side, begin + y * windows * channels
                for _ in range(windows // 2):
                    _add_window(even, offset, i, side, block, d_out, out, at)
                    _add_window(odd, offset, i + 1, side, block, d_out, out, at + channels)
                    i, at = i + 2, at + 2 * channels
                if windows % 2:
                    _add_window(even, offset, i, side, block, d_out, out, at)
