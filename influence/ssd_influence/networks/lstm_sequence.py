"""An LSTM along a sequence on the host, differentiably, with products in float32 or bfloat16.

oneDNN's, which torch takes, spends as long again on what lies between its products as on these,
and more on memory that it asks for anew. Here h_{t−1} and x_t lie side by side, so that a step is
one product, a step back another, and the weights' gradient a third, of all steps at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ssd_influence.kernels import lstm_unroll
from ssd_influence.kernels.compilation import array

F32 = npt.NDArray[np.float32]

CACHED_GAMES = 256  # of which the processor's cache holds all that a step needs
ALIGNED = 16  # columns come in multiples of it, as matrix products like them


class Recurrence(torch.autograd.Function):
    """An LSTM's steps from a given state: outputs, and the state after them."""

    @staticmethod
    def forward(
        ctx: Any,
        products: torch.dtype,
        keep: bool,
        inputs: Tensor,
        h: Tensor,
        c: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `recur`; `keep` what the way back needs."""
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        sequence = _Sequence(products, keep, inputs, h, c, *weights)
        ctx.products, ctx.sequence = products, sequence if keep else None
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(inputs, h, c, *weights)
        return sequence.out, sequence.out[-1].clone(), sequence.last_c()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, d_out: Tensor | None, d_h: Tensor | None, d_c: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        """Of everything that is a tensor."""
        sequence, ctx.sequence = ctx.sequence, None
        if sequence is None:  # the way back has been gone, and has used up what was kept for it
            sequence = _Sequence(ctx.products, True, *ctx.saved_tensors)
        return None, None, *sequence.gradients(d_out, d_h, d_c)


def recur(
    inputs: Tensor,
    state: tuple[Tensor, Tensor],
    weights: Sequence[Tensor],
    products: torch.dtype,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """An LSTM along a sequence. All tensors are float32, on the host.

    Args:
        inputs: [T, B, inputs], T at least 1.
        state: h and c before the first step, each [B, cells].
        weights: W, U and their biases, as `torch.nn.LSTM` has them.
        products: what matrix products are taken in: float32, or bfloat16, to which their inputs and
            results are rounded.

    Returns:
        [T, B, cells] the output h at each step, and the state after the last.
    """
    keep = torch.is_grad_enabled()
    out, *end = Recurrence.apply(products, keep, inputs, *state, *weights)  # type: ignore[no-untyped-call]
    return out, (end[0], end[1])


@dataclass(frozen=True, eq=False)
class _Part:
    """What some games leave behind, for the way back.

    Attributes:
        begin: the first of these G among the B games.
        hx: [T+1, G, columns] h_{t−1}, x_t, and zeros up to whole columns.
        c: [T+1, G, cells] c_{t−1}.
        gates: [T, G, 4 · cells] i f g o; [1, G, 4 · cells] where nothing is kept.
    """

    begin: int
    hx: Tensor
    c: Tensor
    gates: Tensor


class _Sequence:
    """T steps of B games. Arguments as in `Recurrence.forward`.

    Attributes:
        out: [T, B, cells].
    """

    def __init__(
        self,
        products: torch.dtype,
        keep: bool,
        inputs: Tensor,
        h: Tensor,
        c: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> None:
        self._steps, self._games, self._inputs = inputs.shape
        self._cells = h.shape[1]
        # [4 · cells, columns] for what lies side by side in `_Part.hx`
        columns = -(-(self._cells + self._inputs) // ALIGNED) * ALIGNED
        self._weight = weight_hh.new_zeros(4 * self._cells, columns, dtype=products)
        self._weight[:, : self._cells] = weight_hh
        self._weight[:, self._cells : self._cells + self._inputs] = weight_ih
        self._transposed = self._weight.t().contiguous()
        self._bias = array(bias_ih + bias_hh)
        self.out = torch.empty(self._steps, self._games, self._cells)
        self._parts = [
            self._part(begin, inputs, some_h, some_c, keep)
            for begin, some_h, some_c in _in_parts(h, c)
        ]

    def _part(self, begin: int, inputs: Tensor, h: Tensor, c: Tensor, keep: bool) -> _Part:
        """All steps of some games."""
        steps, games, products = self._steps, len(h), self._weight.dtype
        hx = torch.empty(steps + 1, games, self._weight.shape[1], dtype=products)
        cells = torch.empty(steps + 1, games, self._cells)
        gates = torch.empty(steps if keep else 1, games, 4 * self._cells, dtype=products)
        hx[0, :, : self._cells], cells[0] = h, c
        hx_, gates_, cells_, out = array(hx), array(gates), array(cells), array(self.out)
        lstm_unroll.take_inputs(array(inputs), begin, self._cells, hx_)
        to = gates.unbind()
        for t, hx_t in enumerate(hx[:steps].unbind()):
            torch.mm(hx_t, self._transposed, out=to[t % len(to)])
            lstm_unroll.forward(gates_, self._bias, cells_, t, out, begin, hx_)
        return _Part(begin, hx, cells, gates)

    def last_c(self) -> Tensor:
        """[B, cells] after the last step."""
        return torch.cat([part.c[-1] for part in self._parts])

    def gradients(
        self, d_out: Tensor | None, d_h: Tensor | None, d_c: Tensor | None
    ) -> tuple[Tensor, ...]:
        """Of inputs, h, c and weights, from those of outputs and last state. Uses up the parts."""
        d_out = torch.zeros_like(self.out) if d_out is None else d_out
        d_h, d_c = _own_memory(d_h, self.out[0]), _own_memory(d_c, self.out[0])
        d_inputs = torch.empty(self._steps, self._games, self._inputs)
        d_weight = torch.zeros(self._transposed.shape)
        d_bias = torch.zeros(4 * self._cells)
        for part, (_, some_h, some_c) in zip(self._parts, _in_parts(d_h, d_c), strict=True):
            self._back(part, array(d_out), some_h, array(some_c), array(d_inputs), array(d_bias))
            hx, d_gates = part.hx[: self._steps].flatten(0, 1), part.gates.flatten(0, 1)
            d_weight += torch.mm(hx.t(), d_gates)
        d_hh, d_ih = d_weight[: self._cells], d_weight[self._cells :][: self._inputs]
        return d_inputs, d_h, d_c, d_ih.t(), d_hh.t(), d_bias, d_bias.clone()

    def _back(
        self, part: _Part, d_out: F32, d_h: Tensor, d_c: F32, d_inputs: F32, d_bias: F32
    ) -> None:
        """The way back of some games: gates become their gradients; d_h and d_c go to the start."""
        d_hx = torch.zeros_like(part.hx[0])
        d_hx[:, : self._cells] = d_h
        begin, gates, c, d_hx_ = part.begin, array(part.gates), array(part.c), array(d_hx)
        d_gates = part.gates.unbind()
        for t in reversed(range(self._steps)):
            lstm_unroll.backward(gates, c, t, d_out, begin, d_hx_, d_c, d_bias, d_inputs)
            torch.mm(d_gates[t], self._weight, out=d_hx)
        lstm_unroll.give_inputs(d_hx_, self._cells, 0, begin, d_inputs)
        d_h.copy_(d_hx[:, : self._cells])


def _in_parts(h: Tensor, c: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """B games in equal parts, as few as the cache allows: where each begins, its h and c."""
    parts, begin = -(-len(h) // CACHED_GAMES), 0
    for some_h, some_c in zip(h.tensor_split(parts), c.tensor_split(parts), strict=True):
        yield begin, some_h, some_c
        begin += len(some_h)


def _own_memory(gradient: Tensor | None, like: Tensor) -> Tensor:
    """A copy that may be written to; zeros of none."""
    if gradient is None:
        return torch.zeros_like(like)
    return gradient.clone(memory_format=torch.contiguous_format)


def compile_kernels() -> None:
    """Have the kernels of `recur` at hand, there and back, without asking torch for a gradient."""
    for products in (torch.float32, torch.bfloat16):
        one, gates = torch.zeros(1, 1), torch.zeros(4, 1)
        bias = torch.zeros(4)
        sequence = _Sequence(products, True, one[None], one, one, gates, gates, bias, bias)
        sequence.gradients(None, None, None)
