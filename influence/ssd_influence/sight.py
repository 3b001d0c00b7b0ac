"""From views to the first dense layer: convolution, ReLU, dense, ReLU, in one differentiable step.

Plain torch spends half of its time on a CPU here. `Sight` goes through the views in handfuls small
enough for the processor's cache, and on the way back reckons the convolution anew instead of
keeping it, which costs less than to fetch it from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, linear

from ssd_influence.kernels import convolution
from ssd_influence.kernels.kernel import array, on_host

HANDFUL = 64  # views

threshold_backward = torch.ops.aten.threshold_backward.default


def see(
    pixels: Tensor,
    palette: Tensor,
    kernel: Tensor,
    kernel_bias: Tensor,
    dense: Tensor,
    dense_bias: Tensor,
) -> Tensor:
    """ReLU(dense · ReLU(kernel ∗ palette[pixels] + kernel_bias) + dense_bias).

    Args:
        pixels: [M, V, V] uint8 palette indices.
        palette: [P, 3] float, their colours.
        kernel, kernel_bias: [C, 3, 3, 3] and [C], as in `torch.nn.Conv2d`.
        dense, dense_bias: [D, (V−2)² · C] and [D]; the inputs are ordered by window, row by row,
            and within a window by channel.

    Returns:
        [M, D].
    """
    if on_host(kernel) and len(palette) <= convolution.LARGEST_PALETTE:
        return Sight.apply(pixels, palette, kernel, kernel_bias, dense, dense_bias)  # type: ignore[no-any-return, no-untyped-call]
    rgb = palette.index_select(0, pixels.flatten().int()).view(*pixels.shape, -1)
    seen = torch.relu_(conv2d(rgb.permute(0, 3, 1, 2), kernel, kernel_bias))
    return torch.relu_(linear(seen.permute(0, 2, 3, 1).flatten(1), dense, dense_bias))


class Sight(torch.autograd.Function):
    """`see` on the host."""

    @staticmethod
    def forward(
        ctx: Any,
        pixels: Tensor,
        palette: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        dense: Tensor,
        dense_bias: Tensor,
    ) -> Tensor:
        """[M, D]."""
        rows = torch.empty(3, len(palette) ** 3, convolution.lanes(len(kernel)))
        convolution.tabulate(array(kernel), array(kernel_bias), array(palette), array(rows))
        out = torch.empty(len(pixels), len(dense))
        seen = _room(dense)
        for some in _handfuls(len(pixels)):
            convolution.convolve(array(pixels[some]), array(rows), len(kernel), array(seen))
            seen.relu_()
            torch.addmm(dense_bias, _filled(seen, some, dense), dense.t(), out=out[some])
        out.relu_()
        ctx.save_for_backward(pixels, palette, kernel, dense, rows, out)
        return out

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Of the weights alone: views have no gradient."""
        pixels, palette, kernel, dense, rows, out = ctx.saved_tensors
        d_out = d_out.masked_fill(out <= 0, 0)
        d_rows, d_dense = torch.zeros_like(rows), torch.zeros_like(dense)
        seen, d_seen = _room(dense), _room(dense)
        for some in _handfuls(len(pixels)):
            views = array(pixels[some])
            convolution.convolve(views, array(rows), len(kernel), array(seen))
            seen.relu_()
            d_dense.addmm_(d_out[some].t(), _filled(seen, some, dense))
            torch.mm(d_out[some], dense, out=_filled(d_seen, some, dense))
            d_conv = threshold_backward(d_seen, seen, 0)
            convolution.convolve_back(views, array(d_conv), len(kernel), array(d_rows))
        d_kernel, d_kernel_bias = torch.empty_like(kernel), kernel.new_empty(len(kernel))
        convolution.untabulate(
            array(d_rows), array(palette), array(d_kernel), array(d_kernel_bias)
        )
        return None, None, d_kernel, d_kernel_bias, d_dense, d_out.sum(0)


def _handfuls(views: int) -> Iterator[slice]:
    return (slice(begin, min(begin + HANDFUL, views)) for begin in range(0, views, HANDFUL))


def _room(dense: Tensor) -> Tensor:
    """[HANDFUL, inputs + SLACK], for what the convolution makes of a handful."""
    return dense.new_zeros(HANDFUL, dense.shape[1] + convolution.SLACK)


def _filled(room: Tensor, some: slice, dense: Tensor) -> Tensor:
    """[views, inputs] the part of the room that a handful takes."""
    return room[: some.stop - some.start, : dense.shape[1]]
