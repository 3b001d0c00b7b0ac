"""An LSTM over a sequence on the host, differentiable, with products in float32 or bfloat16.

torch uses oneDNN here, which takes as long for the work between its matrix products as for the
products, and longer for allocating memory at each call. Here h_{t−1} and x_t are stored side by
side, so that a step is one product, its gradient another, and the weights' gradient one product
over all steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ssd_influence.array_types import F32
from ssd_influence.kernels import lstm_unroll
from ssd_influence.kernels.compilation import as_array

GAMES_PER_BLOCK = 256  # at most; a step of so many games fits the processor's cache
COLUMN_MULTIPLE = 16  # matrix products are fastest with columns in multiples of this


class LstmSequence(torch.autograd.Function):
    """An LSTM's steps from a given state: outputs, and the state after them."""

    @staticmethod
    def forward(
        ctx: Any,
        matmul_dtype: torch.dtype,
        keep: bool,
        inputs: Tensor,
        h: Tensor,
        c: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `lstm_sequence`; `keep` what the backward pass needs."""
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        steps = _Steps(matmul_dtype, keep, inputs, h, c, *weights)
        ctx.matmul_dtype, ctx.steps = matmul_dtype, steps if keep else None
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, h, c, *weights)
        return steps.out, steps.out[-1].clone(), steps.last_c()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_out: Tensor | None, d_h: Tensor | None, d_c: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """The gradients of all arguments that are tensors."""
        steps, ctx.steps = ctx.steps, None
        if steps is None:  # an earlier backward pass has overwritten what was kept
            steps = _Steps(ctx.matmul_dtype, True, *ctx.saved_tensors)
        return None, None, *steps.gradients(d_out, d_h, d_c)


def lstm_sequence(
    inputs: Tensor,
    state: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    matmul_dtype: torch.dtype,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Run an LSTM over a sequence. All tensors are float32, on the host.

    Args:
        inputs: [T, B, inputs], T at least 1.
        state: h and c before the first step, each [B, cells].
        weights: W, U and their biases, as in `torch.nn.LSTM`.
        matmul_dtype: dtype of matrix products: float32, or bfloat16, to which their inputs and
            results are rounded.

    Returns:
        [T, B, cells] the output h at each step, and the state after the last.
    """
    keep = torch.is_grad_enabled()
    out, *end = LstmSequence.apply(matmul_dtype, keep, inputs, *state, *weights)  # type: ignore[no-untyped-call]
    return out, (end[0], end[1])


@dataclass(frozen=True, eq=False)
class _Block:
    """What the forward pass of a block of games keeps for the backward pass.

    Attributes:
        begin: the first of these G games among the B games.
        hx: [T+1, G, columns] h_{t−1}, x_t, and zeros as padding.
        c: [T+1, G, cells] c_{t−1}.
        gates: [T, G, 4 · cells] i f g o; [1, G, 4 · cells] if nothing is kept.
    """

    begin: int
    hx: Tensor
    c: Tensor
    gates: Tensor


class _Steps:
    """T steps of B games. Arguments as in `LstmSequence.forward`.

    Attributes:
        out: [T, B, cells].
    """

    def __init__(
        self,
        matmul_dtype: torch.dtype,
        keep: bool,
        inputs: Tensor,
        h: Tensor,
        c: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> None:
        self._num_steps, self._num_games, self._inputs = inputs.shape
        self._cells = h.shape[1]
        # [4 · cells, columns], with columns as in `_Block.hx`
        columns = -(-(self._cells + self._inputs) // COLUMN_MULTIPLE) * COLUMN_MULTIPLE
        self._weight = weight_hh.new_zeros(4 * self._cells, columns, dtype=matmul_dtype)
        self._weight[:, : self._cells] = weight_hh
        self._weight[:, self._cells : self._cells + self._inputs] = weight_ih
        self._transposed = self._weight.t().contiguous()
        self._bias = as_array(bias_ih + bias_hh)
        self.out = torch.empty(self._num_steps, self._num_games, self._cells)
        self._blocks = [
            self._forward(begin, inputs, block_h, block_c, keep)
            for begin, block_h, block_c in _blocks(h, c)
        ]

    def _forward(self, begin: int, inputs: Tensor, h: Tensor, c: Tensor, keep: bool) -> _Block:
        """All steps of a block of games."""
        steps, games, dtype = self._num_steps, len(h), self._weight.dtype
        hx = torch.empty(steps + 1, games, self._weight.shape[1], dtype=dtype)
        cells = torch.empty(steps + 1, games, self._cells)
        gates = torch.empty(steps if keep else 1, games, 4 * self._cells, dtype=dtype)
        hx[0, :, : self._cells], cells[0] = h, c
        hx_, gates_, cells_ = as_array(hx), as_array(gates), as_array(cells)
        out = as_array(self.out)
        lstm_unroll.copy_inputs(as_array(inputs), begin, self._cells, hx_)
        gates_t = gates.unbind()
        for t, hx_t in enumerate(hx[:steps].unbind()):
            torch.mm(hx_t, self._transposed, out=gates_t[t % len(gates_t)])
            lstm_unroll.forward(gates_, self._bias, cells_, t, out, begin, hx_)
        return _Block(begin, hx, cells, gates)

    def last_c(self) -> Tensor:
        """[B, cells] after the last step."""
        return torch.cat([block.c[-1] for block in self._blocks])

    def gradients(
        self, d_out: Tensor | None, d_h: Tensor | None, d_c: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Of inputs, h, c and weights, from those of outputs and last state.

        Overwrites the blocks, so it can be called once.
        """
        d_out = torch.zeros_like(self.out) if d_out is None else d_out
        d_h, d_c = _writable_copy(d_h, self.out[0]), _writable_copy(d_c, self.out[0])
        d_inputs = torch.empty(self._num_steps, self._num_games, self._inputs)
        d_weight = torch.zeros(self._transposed.shape)
        d_bias = torch.zeros(4 * self._cells)
        d_arrays = as_array(d_inputs), as_array(d_bias)
        for block, (_, block_h, block_c) in zip(self._blocks, _blocks(d_h, d_c), strict=True):
            self._backward(block, as_array(d_out), block_h, as_array(block_c), *d_arrays)
            hx = block.hx[: self._num_steps].flatten(0, 1)
            d_weight += torch.mm(hx.t(), block.gates.flatten(0, 1))
        d_hh, d_ih = d_weight[: self._cells], d_weight[self._cells :][: self._inputs]
        return d_inputs, d_h, d_c, d_ih.t(), d_hh.t(), d_bias, d_bias.clone()

    def _backward(
        self, block: _Block, d_out: F32, d_h: Tensor, d_c: F32, d_inputs: F32, d_bias: F32
    ) -> None:
        """The gradients of a block of games.

        The gates are overwritten with their gradients, d_h and d_c with those of the first state.
        """
        d_hx = torch.zeros_like(block.hx[0])
        d_hx[:, : self._cells] = d_h
        begin, gates, c, d_hx_ = (
            block.begin,
            as_array(block.gates),
            as_array(block.c),
            as_array(d_hx),
        )
        d_gates = block.gates.unbind()
        for t in reversed(range(self._num_steps)):
            lstm_unroll.backward(gates, c, t, d_out, begin, d_hx_, d_c, d_bias, d_inputs)
            torch.mm(d_gates[t], self._weight, out=d_hx)
        lstm_unroll.copy_input_gradient(d_hx_, self._cells, 0, begin, d_inputs)
        d_h.copy_(d_hx[:, : self._cells])


def _blocks(h: Tensor, c: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Split B games evenly into as few blocks as possible: first game, h and c of each."""
    count, begin = -(-len(h) // GAMES_PER_BLOCK), 0
    for block_h, block_c in zip(h.tensor_split(count), c.tensor_split(count), strict=True):
        yield begin, block_h, block_c
        begin += len(block_h)


def _writable_copy(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A contiguous copy of a gradient; zeros if there is none."""
    if gradient is None:
        return torch.zeros_like(like)
    return gradient.clone(memory_format=torch.contiguous_format)


def compile_kernels() -> None:
    """Compile all kernels of `lstm_sequence` and its gradient, without using autograd."""
    for matmul_dtype in (torch.float32, torch.bfloat16):
        one, gates = torch.zeros(1, 1), torch.zeros(4, 1)
        bias = torch.zeros(4)
        steps = _Steps(matmul_dtype, True, one[None], one, one, gates, gates, bias, bias)
        steps.gradients(None, None, None)
