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
from ssd_influence.kernels.compilation import array, on_host
from ssd_influence.kernels.dense import add
from ssd_influence.networks import lstm_sequence

HANDFUL = 256  # views

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

threshold_backward = torch.ops.aten.threshold_backward.default


def see(
    pixels: Tensor,
    palette: Tensor,
    kernel: Tensor,
    kernel_bias: Tensor,
    dense: Tensor,
    dense_bias: Tensor,
    *,
    products: torch.dtype = torch.float32,
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
        products: what the dense layer's products are taken in: float32, or bfloat16, to which their
            inputs and results are rounded.

    Returns:
        [M, D], like all gradients of the type of the weights.
    """
    weights = kernel, kernel_bias, dense, dense_bias
    if on_host(kernel) and len(palette) <= convolution.LARGEST_PALETTE:
        return Sight.apply(products, pixels, palette, *weights)  # type: ignore[no-any-return, no-untyped-call]
    seen = torch.relu_(_convolve(pixels, palette, kernel, kernel_bias))
    if products == torch.float32:
        return torch.relu_(linear(seen, dense, dense_bias))
    rounded = (x.to(products) for x in (seen, dense, dense_bias))
    return torch.relu_(linear(*rounded).to(kernel.dtype))


def _convolve(pixels: Tensor, palette: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """[M, (V−2)² · C] by torch, ordered as `see` says."""
    rgb = palette.index_select(0, pixels.flatten().int()).view(*pixels.shape, -1)
    return conv2d(rgb.permute(0, 3, 1, 2), kernel, bias).permute(0, 2, 3, 1).flatten(1)


class Sight(torch.autograd.Function):
    """`see` on the host."""

    @staticmethod
    def forward(
        ctx: Any,
        products: torch.dtype,
        pixels: Tensor,
        palette: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        dense: Tensor,
        dense_bias: Tensor,
    ) -> Tensor:
        """[M, D]."""
        eye = Eye(palette, kernel, kernel_bias, dense, dense_bias, products)
        out = eye.look(array(pixels), torch.empty(len(pixels), len(dense), dtype=products))
        out = torch.relu_(out.to(kernel.dtype))
        ctx.eye = eye
        ctx.save_for_backward(pixels, palette, kernel, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Of the weights alone: views have no gradient."""
        pixels, palette, kernel, out = ctx.saved_tensors
        d_out = threshold_backward(d_out, out, 0)
        d_rows, d_dense = ctx.eye.gradient(array(pixels), d_out)
        d_kernel, d_kernel_bias = torch.empty_like(kernel), kernel.new_empty(len(kernel))
        convolution.untabulate(d_rows, array(palette), array(d_kernel), array(d_kernel_bias))
        return None, None, None, d_kernel, d_kernel_bias, d_dense, d_out.sum(0)


class Eye:
    """Convolution, ReLU and dense layer with given weights, on the host and without gradients.

    Args:
        palette, kernel, kernel_bias, dense, dense_bias, products: as `see` has them.

    Attributes:
        rows: what `convolution.tabulate` makes of palette and kernel; empty where the palette is
            too large for it, and torch convolves.
        room: [HANDFUL, inputs + SLACK] what convolution and ReLU made of a handful, of the type
            that products are taken in.
    """

    def __init__(
        self,
        palette: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        dense: Tensor,
        dense_bias: Tensor,
        products: torch.dtype = torch.float32,
    ) -> None:
        self._convolution = palette, kernel.detach(), kernel_bias.detach()
        self._dense, self._bias = dense.detach().to(products), dense_bias.detach().to(products)
        self._tabulated = len(palette) <= convolution.LARGEST_PALETTE
        sizes = len(palette) ** 3 if self._tabulated else 0, convolution.lanes(len(kernel))
        self.rows = torch.empty(3, *sizes)
        self.room = torch.zeros(HANDFUL, dense.shape[1] + convolution.SLACK, dtype=products)
        if self._tabulated:
            weights = array(kernel), array(kernel_bias), array(palette)
            convolution.tabulate(*weights, array(self.rows))
        self._arrays = array(self.rows), array(self.room)

    def look(self, pixels: Pixels, out: Tensor) -> Tensor:
        """[M, V, V] palette indices → [M, D] of the type of products, before the last ReLU.

        Written to `out`.

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
            seen = torch.relu_(_convolve(torch.from_numpy(views.copy()), *self._convolution))
            return seen.to(self.room.dtype)
        rows, room = self._arrays
        palette, kernel, _ = self._convolution
        convolution.convolve(views, rows, len(palette), len(kernel), room)
        return self.room[: len(views), : self._dense.shape[1]]

    def gradient(self, pixels: Pixels, d_out: Tensor) -> tuple[Floats, Tensor]:
        """Of the rows, as `convolution.convolve_back` adds them up, and of the dense layer.

        Of a palette that was tabulated alone. Handfuls are added up in float32.

        Args:
            pixels: [M, V, V] as `look` had them.
            d_out: [M, D] float32, of what it made of them.
        """
        d_rows = np.zeros((2, *self.rows.shape), np.float32)
        d_dense = torch.zeros_like(self._dense, dtype=torch.float32)
        d_room = torch.empty_like(self.room)
        sizes = len(self._convolution[0]), len(self._convolution[1])
        d_out, (_, room), d_array = d_out.to(self.room.dtype), self._arrays, array(d_room)
        for some, views in handfuls(pixels):
            part = torch.mm(d_out[some].t(), self.convolve(views))
            add(array(d_dense), array(part))
            torch.mm(d_out[some], self._dense, out=d_room[: len(views), : self._dense.shape[1]])
            convolution.convolve_back(views, d_array, room, *sizes, d_rows)
        return d_rows, d_dense


def handfuls(pixels: Pixels) -> Iterator[tuple[slice, Pixels]]:
    """Views in handfuls small enough for the processor's cache, and where each comes from."""
    for begin in range(0, len(pixels), HANDFUL):
        some = slice(begin, min(begin + HANDFUL, len(pixels)))
        yield some, pixels[some]


def compile_kernels() -> None:
    """Have the kernels of learning at hand, there and back, without asking torch for a gradient."""
    lstm_sequence.compile_kernels()
    palette, kernel = torch.zeros(1, 3), torch.zeros(1, 3, 3, 3)
    weights = palette, kernel, torch.zeros(1), torch.zeros(1, 1), torch.zeros(1)
    views = np.zeros((1, 3, 3), np.uint8)
    for products in (torch.float32, torch.bfloat16):
        eye = Eye(*weights, products)
        eye.look(views, torch.empty(1, 1, dtype=products))
        d_rows, _ = eye.gradient(views, torch.zeros(1, 1))
        convolution.untabulate(d_rows, array(palette), array(kernel), array(torch.zeros(1)))
