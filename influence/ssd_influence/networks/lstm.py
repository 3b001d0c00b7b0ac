"""The LSTM of the policy and of the model of others: single steps, and whole sequences."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.kernels.compilation import on_host
from ssd_influence.networks.lstm_sequence import recur


class LstmState(NamedTuple):
    """Recurrent state of one LSTM in B games: output h and cell c, each [B, cells] float."""

    h: Tensor
    c: Tensor

    def reset(self, is_first_t: Tensor) -> "LstmState":
        """The state with zeros in the games where `is_first_t` [B] starts an episode."""
        starts = is_first_t.unsqueeze(-1)
        return LstmState(self.h.masked_fill(starts, 0), self.c.masked_fill(starts, 0))


class Lstm(nn.LSTM):
    """An LSTM of one layer that can also take single steps, and start episodes in mid-sequence.

    Attributes:
        products: what the matrix products of `unroll` are taken in on the host: float32, or
            bfloat16, to which their inputs are rounded. Weights, outputs and gradients are float32.
    """

    products: torch.dtype = torch.float32

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
            is_first: [T, B] bool; there the state starts again from zero.
            starts: ascending times above 0 at which any game starts an episode.
            state: before the first step.

        Returns:
            [T, B, cells] the output h at each step, and the state after the last.
        """
        stretches = []
        for begin, end in pairwise((0, *starts, len(inputs))):
            outputs, state = self._stretch(inputs[begin:end], state.reset(is_first[begin]))
            stretches.append(outputs)
        return torch.cat(stretches) if len(stretches) > 1 else stretches[0], state

    def _stretch(self, inputs: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """A sequence in which no episode starts: [T, B, inputs] → [T, B, cells], and the end."""
        if on_host(inputs) and on_host(self.weight_hh_l0):
            weights = self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0
            outputs, end = recur(inputs, state, weights, self.products)
            return outputs, LstmState(*end)
        outputs, (h, c) = self(inputs, (state.h.unsqueeze(0), state.c.unsqueeze(0)))
        return outputs, LstmState(h.squeeze(0), c.squeeze(0))


def cell_(gates: Tensor, c: Tensor) -> LstmState:
    """The pointwise half of an LSTM's step. Overwrites `gates`.

    With tanh x = 2σ(2x) − 1, since torch's tanh costs five of its sigmoids on a CPU.

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
