"""The parts that policy and MOA are both made of: dense layers, one-hot actions, the LSTM.

Weights start as follows, drawn from torch's global generator. Convolution and dense layers:
orthogonal, gain √2 before a ReLU, biases 0. LSTM: PyTorch's uniform ±1/√cells, with a forget
bias of 1. Heads: orthogonal with gain 0.01 for logits (every policy and prediction starts near
uniform) and 1 for the value.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_influence.kernels import lstm
from ssd_influence.kernels.kernel import array, on_host

RELU_GAIN = math.sqrt(2)
LOGITS_GAIN = 0.01


class LstmState(NamedTuple):
    """Recurrent state of one LSTM in B games: output h and cell c, each [B, cells] float."""

    h: Tensor
    c: Tensor

    def reset(self, first_t: Tensor) -> "LstmState":
        """The state with zeros in the games where `first_t`, [B] bool, says an episode starts."""
        starts = first_t.unsqueeze(-1)
        return LstmState(self.h.masked_fill(starts, 0), self.c.masked_fill(starts, 0))


def dense(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """A linear layer with orthogonal weights of this gain, and zero biases."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def one_hot(actions: Tensor, num_actions: int) -> Tensor:
    """Actions as bools, one for each agent and action: [..., J] integer → [..., J, A] bool."""
    each = torch.arange(num_actions, dtype=actions.dtype, device=actions.device)
    return actions.unsqueeze(-1) == each


class Torso(nn.Module):
    """Two dense layers with ReLU. The first belongs to `see`, which takes the weights of all."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = dense(inputs, hidden, RELU_GAIN)
        self.fc2 = dense(hidden, hidden, RELU_GAIN)

    def forward(self, seen: Tensor) -> Tensor:
        """[..., hidden] what came out of the first layer → [..., hidden]."""
        return torch.relu_(self.fc2(seen))


class Lstm(nn.LSTM):
    """An LSTM of one layer that can also take single steps, and start episodes in mid-sequence."""

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

    def step(self, inputs_t: Tensor, first_t: Tensor, state: LstmState) -> LstmState:
        """One step.

        Args:
            inputs_t: [B, inputs] float.
            first_t: [B] bool; there the state starts again from zero.
            state: before the step.

        Returns:
            The state after it.
        """
        h, c = state.reset(first_t)
        if on_host(inputs_t) and not torch.is_grad_enabled():
            return cell_(self.gates(inputs_t, h), c)
        return LstmState(
            *torch.lstm_cell(
                inputs_t,
                (h, c),
                self.weight_ih_l0,
                self.weight_hh_l0,
                self.bias_ih_l0,
                self.bias_hh_l0,
            )
        )

    def unroll(
        self, inputs: Tensor, first: Tensor, starts: Sequence[int], state: LstmState
    ) -> Tensor:
        """A whole sequence at once, cut only where an episode starts inside it.

        Args:
            inputs: [T, B, inputs] float.
            first: [T, B] bool; there the state starts again from zero.
            starts: ascending times above 0 at which any game starts an episode.
            state: before the first step.

        Returns:
            [T, B, cells] the output h at each step.
        """
        stretches = []
        for begin, end in pairwise((0, *starts, len(inputs))):
            h, c = state.reset(first[begin])
            outputs, (h, c) = self(inputs[begin:end], (h.unsqueeze(0), c.unsqueeze(0)))
            state = LstmState(h.squeeze(0), c.squeeze(0))
            stretches.append(outputs)
        return torch.cat(stretches) if len(stretches) > 1 else stretches[0]

    def gates(self, inputs_t: Tensor, h: Tensor) -> Tensor:
        """[B, 4 · cells] W·x + U·h + b, in PyTorch's order i f g o."""
        gates = torch.addmm(self.bias_ih_l0, inputs_t, self.weight_ih_l0.t())
        return gates.addmm_(h, self.weight_hh_l0.t()).add_(self.bias_hh_l0)


def cell_(gates: Tensor, c: Tensor) -> LstmState:
    """The pointwise half of an LSTM's step. Overwrites `gates`; not differentiable.

    Args:
        gates: [B, 4 · cells] W·x + U·h + b, in PyTorch's order i f g o.
        c: [B, cells], the cell before the step.
    """
    if on_host(gates):
        after = LstmState(torch.empty_like(c), torch.empty_like(c))
        lstm.step(array(gates), array(c), array(after.c), array(after.h))
        return after
    i, f, o = (gates.chunk(4, -1)[part].sigmoid_() for part in (0, 1, 3))
    c = (f * c).addcmul_(i, gates.chunk(4, -1)[2].tanh_())
    return LstmState(o * c.tanh(), c)


def cells(gates: Tensor, columns: Tensor, c: Tensor) -> Tensor:
    """The outputs of an LSTM's step for each of A inputs that differ in one one-hot part.

    Not differentiable.

    Args:
        gates: [R, 4 · cells], the share of all that is the same.
        columns: [A, 4 · cells], what each input adds.
        c: [R, cells], the cell before the step.

    Returns:
        [R, A, cells].
    """
    if on_host(gates):
        h = gates.new_empty(len(gates), len(columns), c.shape[1])
        lstm.imagine(array(gates), array(columns), array(c), array(h))
        return h
    each = (gates.unsqueeze(1) + columns).flatten(0, 1)
    h = cell_(each, c.repeat_interleave(len(columns), 0)).h
    return h.unflatten(0, (len(gates), len(columns)))
