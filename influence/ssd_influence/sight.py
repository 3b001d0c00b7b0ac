"""From views to the first dense layer: convolution, ReLU, dense, ReLU, in one differentiable step.

Plain torch spends half of its time on a CPU here. `Sight` goes through the views in handfuls small
enough for the processor's cache, and on the way back reckons the convolution anew instead of
keeping it, which costs less than to fetch it from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, linear

from ssd_influence.kernels import convolution
from ssd_influence.kernels.kernel import array, on_host

HANDFUL = 64  # views

Pixels = npt.NDArray[np.uint8]

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
        kernel: [C, 3, 3, 3], as in `torch.nn.Conv2d`.
        kernel_bias: [C].
        dense: [D, (V−2)² · C]; the inputs are ordered by window, row by row, and within a window
            by channel.
        dense_bias: [D].

    Returns:
        [M, D].
    """
    if on_host(kernel) and len(palette) <= convolution.LARGEST_PALETTE:
        return Sight.apply(pixels, palette, kernel, kernel_bias, dense, dense_bias)  # type: ignore[no-any-return, no-untyped-call]
    seen = torch.relu_(_convolve(pixels, palette, kernel, kernel_bias))
    return torch.relu_(linear(seen, dense, dense_bias))


def _convolve(pixels: Tensor, palette: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """[M, (V−2)² · C] by torch, ordered as `see` says."""
    rgb = palette.index_select(0, pixels.flatten().int()).view(*pixels.shape, -1)
    return conv2d(rgb.permute(0, 3, 1, 2), kernel, bias).permute(0, 2, 3, 1).flatten(1)


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
        eye = Eye(palette, kernel, kernel_bias, dense, dense_bias)
        out = eye.look(array(pixels), torch.empty(len(pixels), len(dense))).relu_()
        ctx.eye = eye
        ctx.save_for_backward(pixels, palette, kernel, dense, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Of the weights alone: views have no gradient."""
        pixels, palette, kernel, dense, out = ctx.saved_tensors
        d_out = threshold_backward(d_out, out, 0)
        d_rows, d_dense = torch.zeros_like(ctx.eye.rows), torch.zeros_like(dense)
        d_seen = torch.empty_like(ctx.eye.room)
        for some, views in handfuls(array(pixels)):
            inputs = ctx.eye.convolve(views)
            d_dense.addmm_(d_out[some].t(), inputs)
            torch.mm(d_out[some], dense, out=d_seen[: len(views), : dense.shape[1]])
            d_conv = threshold_backward(d_seen, ctx.eye.room, 0)
            sizes = len(palette), len(kernel)
            convolution.convolve_back(views, array(d_conv), *sizes, array(d_rows))
        d_kernel, d_kernel_bias = torch.empty_like(kernel), kernel.new_empty(len(kernel))
        convolution.untabulate(array(d_rows), array(palette), array(d_kernel), array(d_kernel_bias))
        return None, None, d_kernel, d_kernel_bias, d_dense, d_out.sum(0)


class Eye:
    """Convolution, ReLU and dense layer with given weights, on the host and without gradients.

    Args:
        palette, kernel, kernel_bias, dense, dense_bias: as `see` has them.

    Attributes:
        rows: what `convolution.tabulate` makes of palette and kernel; empty where the palette is
            too large for it, and torch convolves.
        room: [HANDFUL, inputs + SLACK] what the kernels, and ReLU, made of a handful.
    """

    def __init__(
        self,
        palette: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        dense: Tensor,
        dense_bias: Tensor,
    ) -> None:
        self._convolution = palette, kernel.detach(), kernel_bias.detach()
        self._dense, self._bias = dense.detach(), dense_bias.detach()
        self._tabulated = len(palette) <= convolution.LARGEST_PALETTE
        sizes = len(palette) ** 3 if self._tabulated else 0, convolution.lanes(len(kernel))
        self.rows = torch.empty(3, *sizes)
        self.room = torch.empty(HANDFUL, dense.shape[1] + convolution.SLACK)
        if self._tabulated:
            weights = array(kernel), array(kernel_bias), array(palette)
            convolution.tabulate(*weights, array(self.rows))
        self._arrays = array(self.rows), array(self.room)

    def look(self, pixels: Pixels, out: Tensor) -> Tensor:
        """[M, V, V] palette indices → [M, D], before the last ReLU; written to `out`.

        Raises:
            ValueError: a pixel has a colour that is not in the palette. No kernel would notice.
        """
        colours = len(self._convolution[0])
        if (largest := pixels.max(initial=0)) >= colours:
            raise ValueError(f"pixels: wanted palette indices below {colours}, found {largest}")
        for some, views in handfuls(pixels):
            torch.addmm(self._bias, self.convolve(views), self._dense.t(), out=out[some])
        return out

    def convolve(self, views: Pixels) -> Tensor:
        """A handful [m, V, V] → [m, inputs] after the first ReLU, good until the next handful."""
        if not self._tabulated:
            return torch.relu_(_convolve(torch.from_numpy(views.copy()), *self._convolution))
        rows, room = self._arrays
        palette, kernel, _ = self._convolution
        convolution.convolve(views, rows, len(palette), len(kernel), room)
        return self.room.relu_()[: len(views), : self._dense.shape[1]]


def handfuls(pixels: Pixels) -> Iterator[tuple[slice, Pixels]]:
    """Views in handfuls small enough for the processor's cache, and where each comes from."""
    for begin in range(0, len(pixels), HANDFUL):
        some = slice(begin, min(begin + HANDFUL, len(pixels)))
        yield some, pixels[some]


def compile_kernels() -> None:
    """Have the kernels of `see` at hand, there and back, without asking torch for a gradient."""
    palette, kernel = torch.zeros(1, 3), torch.zeros(1, 3, 3, 3)
    eye = Eye(palette, kernel, torch.zeros(1), torch.zeros(1, 1), torch.zeros(1))
    views = np.zeros((1, 3, 3), np.uint8)
    eye.look(views, torch.empty(1, 1))
    d_rows = array(torch.zeros_like(eye.rows))
    convolution.convolve_back(views, array(eye.room), 1, 1, d_rows)
    convolution.untabulate(d_rows, array(palette), array(kernel), array(torch.zeros(1)))
