"""The LSTM of the policy and of the model of other agents: single steps, and whole sequences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.kernels.compilation import is_host_float32
from ssd_influence.networks.lstm_sequence import lstm_sequence


class LstmState(NamedTuple):
    """Recurrent state of one LSTM in B games: output h and cell c, each [B, cells] float."""

    h: Tensor
    c: Tensor

    def reset(self, is_first_t: Tensor) -> LstmState:
        """The state, with zeros in the games in which an episode starts: `is_first_t`, [B] bool."""
        starts = is_first_t.unsqueeze(-1)
        return LstmState(self.h.masked_fill(starts, 0), self.c.masked_fill(starts, 0))


class Lstm(nn.LSTM):
    """One LSTM layer for single steps, and for sequences in which episodes may start.

    Attributes:
        matmul_dtype: dtype of the matrix products of `unroll` on the host: float32, or bfloat16, to
            which their inputs are rounded. Weights, outputs and gradients are float32.
    """

    matmul_dtype: torch.dtype = torch.float32

    weight_ih_l0: nn.Parameter
    weight_hh_l0: nn.Parameter
    bias_ih_l0: nn.Parameter
    bias_hh_l0: nn.Parameter

    def __init__(self, inputs: int, cells: int) -> None:
        super().__init__(inputs, cells)
        with torch.no_grad():
            self.bias_ih_l0.zero_()
            self.bias_hh_l0.zero_()
            self.bias_ih_l0[cells : 2 * cells] = 1

    def step(self, inputs_t: Tensor, state: LstmState) -> LstmState:
        """One step: inputs [B, inputs] and the state before it, to the state after it."""
        return LstmState(
            *torch.lstm_cell(
                inputs_t,
                state,
                self.weight_ih_l0,
                self.weight_hh_l0,
                self.bias_ih_l0,
                self.bias_hh_l0,
            )
        )

    def unroll(
        self, inputs: Tensor, is_first: Tensor, starts: Sequence[int], state: LstmState
    ) -> tuple[Tensor, LstmState]:
        """A whole sequence at once, cut only where an episode starts inside it.

        Args:
            inputs: [T, B, inputs] float.
            is_first: [T, B] bool; there the state is reset to zero.
            starts: ascending times above 0 at which an episode starts in any game.
            state: before the first step.

        Returns:
            [T, B, cells] the output h at each step, and the state after the last.
        """
        pieces = []
        for begin, end in pairwise((0, *starts, len(inputs))):
            outputs, state = self._unroll_piece(inputs[begin:end], state.reset(is_first[begin]))
            pieces.append(outputs)
        return torch.cat(pieces) if len(pieces) > 1 else pieces[0], state

    def _unroll_piece(self, inputs: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """A sequence in which no episode starts: [T, B, inputs] → [T, B, cells], last state."""
        if is_host_float32(inputs) and is_host_float32(self.weight_hh_l0):
            weights = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
            outputs, end = lstm_sequence(inputs, state, weights, self.matmul_dtype)
            return outputs, LstmState(*end)
        outputs, (h, c) = self(inputs, (state.h.unsqueeze(0), state.c.unsqueeze(0)))
        return outputs, LstmState(h.squeeze(0), c.squeeze(0))


def lstm_cell_(gates: Tensor, c: Tensor) -> LstmState:
    """The elementwise half of an LSTM step. Overwrites `gates`.

    Uses tanh x = 2σ(2x) − 1, since torch's tanh costs as much as five sigmoids on a CPU.

    Args:
        gates: [..., 4 · cells] W·x + U·h + b, in PyTorch's order i f g o.
        c: [..., cells], or what broadcasts to it: the cell before the step.
    """
    gates.chunk(4, -1)[2].mul_(2)
    i, f, g, o = gates.sigmoid_().chunk(4, -1)
    g.mul_(2).sub_(1)
    c = (f * c).addcmul_(i, g)
    tanh_c = (2 * c).sigmoid_().mul_(2).sub_(1)
    return LstmState(tanh_c.mul_(o), c)
