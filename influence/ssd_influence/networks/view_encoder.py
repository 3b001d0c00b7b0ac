"""From views to the first dense layer: convolution, ReLU, dense, ReLU, as one autograd function.

With plain torch half of an agent's time on a CPU goes here. `EncodeViews` processes views in blocks
that fit the processor's cache. Its backward pass recomputes the convolution, which is faster than
to keep it and read it from memory again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, linear

from ssd_influence.array_types import F32, U8
from ssd_influence.kernels import convolution
from ssd_influence.kernels.compilation import as_array, is_host_float32
from ssd_influence.kernels.dense import add_
from ssd_influence.networks.moa_gradient import linear_with_scaled_gradient, scale_rows

VIEWS_PER_BLOCK = 256

threshold_backward = torch.ops.aten.threshold_backward.default


def encode_views(
    pixels: Tensor,
    palette: Tensor,
    kernel: Tensor,
    kernel_bias: Tensor,
    dense: Tensor,
    dense_bias: Tensor,
    *,
    gradient_factors: Tensor | None = None,
    matmul_dtype: torch.dtype = torch.float32,
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
        gradient_factors: [D] by which the gradient of each output is multiplied where it enters
            the convolution; the gradient of the dense layer's weights is not. None for all 1.
        matmul_dtype: dtype of the dense layer's products: float32, or bfloat16, to which their
            inputs and results are rounded.

    Returns:
        [M, D], like all gradients with the dtype of the weights.
    """
    weights = kernel, kernel_bias, dense, dense_bias
    if is_host_float32(kernel) and len(palette) <= convolution.LARGEST_PALETTE:
        constants = matmul_dtype, gradient_factors, pixels, palette
        return EncodeViews.apply(*constants, *weights)  # type: ignore[no-any-return, no-untyped-call]
    convolved = torch.relu_(_convolve(pixels, palette, kernel, kernel_bias))
    inputs, weight, bias = (x.to(matmul_dtype) for x in (convolved, dense, dense_bias))
    if gradient_factors is None:
        encoded = linear(inputs, weight, bias)
    else:
        encoded = linear_with_scaled_gradient(inputs, weight, bias, gradient_factors)
    return torch.relu_(encoded.to(kernel.dtype))


def _convolve(pixels: Tensor, palette: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """[M, (V−2)² · C] by torch, in the order of `encode_views`."""
    rgb = palette.index_select(0, pixels.flatten().int()).view(*pixels.shape, -1)
    return conv2d(rgb.permute(0, 3, 1, 2), kernel, bias).permute(0, 2, 3, 1).flatten(1)


class EncodeViews(torch.autograd.Function):
    """`encode_views` on the host."""

    @staticmethod
    def forward(
        ctx: Any,
        matmul_dtype: torch.dtype,
        gradient_factors: Tensor | None,
        pixels: Tensor,
        palette: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        dense: Tensor,
        dense_bias: Tensor,
    ) -> Tensor:
        """[M, D]."""
        encoder = ConvEncoder(palette, kernel, kernel_bias, dense, dense_bias, matmul_dtype)
        out = torch.empty(len(pixels), len(dense), dtype=matmul_dtype)
        out = torch.relu_(encoder.encode(as_array(pixels), out).to(kernel.dtype))
        ctx.encoder = encoder
        ctx.save_for_backward(pixels, palette, kernel, out, gradient_factors)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the weights; views have none."""
        pixels, palette, kernel, out, gradient_factors = ctx.saved_tensors
        d_out = threshold_backward(d_out, out, 0)
        d_table, d_dense = ctx.encoder.gradient(as_array(pixels), d_out, gradient_factors)
        d_kernel, d_kernel_bias = torch.empty_like(kernel), kernel.new_empty(len(kernel))
        d_arrays = as_array(d_kernel), as_array(d_kernel_bias)
        convolution.row_table_gradient(d_table, as_array(palette), *d_arrays)
        return None, None, None, None, d_kernel, d_kernel_bias, d_dense, d_out.sum(0)


class ConvEncoder:
    """Convolution, ReLU and dense layer with fixed weights, on the host and without autograd.

    Args:
        palette, kernel, kernel_bias, dense, dense_bias, matmul_dtype: as in `encode_views`.

    Attributes:
        table: [3, P³, padded C] of `convolution.build_row_table`; empty if the palette is too large
            for it, and torch convolves.
        buffer: [VIEWS_PER_BLOCK, inputs + SLACK] the convolution's output for a block of views,
            after ReLU, with dtype `matmul_dtype`.
    """

    def __init__(
        self,
        palette: Tensor,
        kernel: Tensor,
        kernel_bias: Tensor,
        dense: Tensor,
        dense_bias: Tensor,
        matmul_dtype: torch.dtype = torch.float32,
    ) -> None:
        self._convolution = palette, kernel.detach(), kernel_bias.detach()
        self._dense = dense.detach().to(matmul_dtype)
        self._bias = dense_bias.detach().to(matmul_dtype)
        self._has_table = len(palette) <= convolution.LARGEST_PALETTE
        sizes = len(palette) ** 3 if self._has_table else 0, convolution.padded(len(kernel))
        self.table = torch.empty(3, *sizes)
        columns = dense.shape[1] + convolution.SLACK
        self.buffer = torch.zeros(VIEWS_PER_BLOCK, columns, dtype=matmul_dtype)
        if self._has_table:
            weights = as_array(kernel), as_array(kernel_bias), as_array(palette)
            convolution.build_row_table(*weights, as_array(self.table))
        self._arrays = as_array(self.table), as_array(self.buffer)

    def encode(self, pixels: U8, out: Tensor) -> Tensor:
        """[M, V, V] palette indices → `out`, [M, D] of `matmul_dtype`, before the last ReLU.

        Raises:
            ValueError: a pixel is not in the palette, which no kernel would notice.
        """
        colours = len(self._convolution[0])
        if (largest := pixels.max(initial=0)) >= colours:
            raise ValueError(f"pixels: wanted palette indices below {colours}, found {largest}")
        for block, views in blocks(pixels):
            torch.addmm(self._bias, self.convolve(views), self._dense.t(), out=out[block])
        return out

    def convolve(self, views: U8) -> Tensor:
        """A block [m, V, V] → [m, inputs] after the first ReLU, valid until the next call."""
        if not self._has_table:
            convolved = _convolve(torch.from_numpy(views.copy()), *self._convolution)
            return torch.relu_(convolved).to(self.buffer.dtype)
        table, buffer = self._arrays
        palette, kernel, _ = self._convolution
        convolution.convolve_relu(views, table, len(palette), len(kernel), buffer)
        return self.buffer[: len(views), : self._dense.shape[1]]

    def gradient(
        self, pixels: U8, d_out: Tensor, factors: Tensor | None = None
    ) -> tuple[F32, Tensor]:
        """The gradients of the row table, [2, 3, P³, padded C], and of the dense layer.

        Only for a palette that has a table. Blocks are summed in float32.

        Args:
            pixels: [M, V, V], the input of `encode`.
            d_out: [M, D] float32, of the output of `encode`.
            factors: [D] `gradient_factors` of `encode_views`.
        """
        d_table = np.zeros((2, *self.table.shape), np.float32)
        d_dense = torch.zeros_like(self._dense, dtype=torch.float32)
        d_buffer = torch.empty_like(self.buffer)
        dense = self._dense if factors is None else scale_rows(self._dense, factors)
        sizes = len(self._convolution[0]), len(self._convolution[1])
        d_out, (_, buffer), d_array = d_out.to(self.buffer.dtype), self._arrays, as_array(d_buffer)
        inputs = self._dense.shape[1]
        for block, views in blocks(pixels):
            add_(as_array(d_dense), as_array(torch.mm(d_out[block].t(), self.convolve(views))))
            torch.mm(d_out[block], dense, out=d_buffer[: len(views), :inputs])
            convolution.convolve_relu_gradient(views, d_array, buffer, *sizes, d_table)
        return d_table, d_dense


def blocks(pixels: U8) -> Iterator[tuple[slice, U8]]:
    """Split views into blocks that fit the processor's cache: where each block is, its views."""
    for begin in range(0, len(pixels), VIEWS_PER_BLOCK):
        block = slice(begin, min(begin + VIEWS_PER_BLOCK, len(pixels)))
        yield block, pixels[block]


def compile_kernels() -> None:
    """Compile all kernels of `encode_views` and its gradient, without using autograd."""
    palette, kernel = torch.zeros(1, 3), torch.zeros(1, 3, 3, 3)
    weights = palette, kernel, torch.zeros(1), torch.zeros(1, 1), torch.zeros(1)
    views = np.zeros((1, 3, 3), np.uint8)
    for matmul_dtype in (torch.float32, torch.bfloat16):
        encoder = ConvEncoder(*weights, matmul_dtype)
        encoder.encode(views, torch.empty(1, 1, dtype=matmul_dtype))
        d_table, _ = encoder.gradient(views, torch.zeros(1, 1))
        d_arrays = as_array(kernel), as_array(torch.zeros(1))
        convolution.row_table_gradient(d_table, as_array(palette), *d_arrays)
