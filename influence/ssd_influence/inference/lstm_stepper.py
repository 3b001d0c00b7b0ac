"""One LSTM on a CPU, whose one-hot inputs are columns of its weights, added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ssd_influence.kernels import lstm_step as lstm
from ssd_influence.kernels.compilation import array
from ssd_influence.networks.lstm import Lstm

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


class Inputs(NamedTuple):
    """K one-hot inputs of W values each, at one step of B games."""

    columns: F32  # [K, W + 1, 4 · cells] what each value adds to the gates; W for none, and nothing
    taken: U8  # [B, K] which value each input has
    mute: Bools  # [B] where no input has any


class Core:
    """One LSTM with F float inputs, and groups of one-hot inputs after them.

    Args:
        lstm: whose weights it takes over at each `refresh`.
        floats: F.
        groups: how many one-hot inputs there are, and how many values each has.
        games: B.

    Attributes:
        inputs: [B, F + cells]; the first F columns are for others to fill, the rest is h.
        columns: of each group, as `Inputs` has them.
        state_like: [B, 2 · cells] of the shape of its state.
    """

    def __init__(
        self, lstm: Lstm, floats: int, groups: Sequence[tuple[int, int]], games: int
    ) -> None:
        self._lstm, self._floats, self._groups = lstm, floats, groups
        self._inputs = torch.zeros(games, floats + lstm.hidden_size)
        self._gates = torch.empty(games, 4 * lstm.hidden_size)
        self._gates_array = array(self._gates)
        self._games = np.arange(games)
        self.inputs = array(self._inputs)
        self.state_like = np.empty((games, 2 * lstm.hidden_size), np.float32)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the LSTM's weights."""
        given, recurrent = self._lstm.weight_ih_l0, self._lstm.weight_hh_l0
        self._weight = torch.cat([given[:, : self._floats], recurrent], 1).t()
        self._bias = self._lstm.bias_ih_l0 + self._lstm.bias_hh_l0
        blocks = (
            given[:, self._floats :]
            .t()
            .split_with_sizes([inputs * values for inputs, values in self._groups])
        )
        self.columns = [
            array(torch.nn.functional.pad(block.reshape(*group, len(given)), (0, 0, 0, 1)))
            for block, group in zip(blocks, self._groups, strict=True)
        ]

    def gates(self, state: F32, is_first: Bools) -> F32:
        """[B, 4 · cells] of the float inputs, h and the bias; good until the next call."""
        lstm.carry_over(state, is_first, self.inputs)
        torch.addmm(self._bias, self._inputs, self._weight, out=self._gates)
        return self._gates_array

    def imagine(
        self, gates: F32, inputs: Inputs, places: Sequence[int], is_first: Bools, state: F32
    ) -> F32:
        """What h would be, had one of the inputs had another value, and the rest been as it was.

        Args:
            gates: [B, 4 · cells] without these inputs.
            inputs: at this step.
            places: [K] which of them to imagine otherwise, one at a time.
            is_first: [B], where the state before counts as zeros.
            state: [B, 2 · cells] before this step; it stays as it is.

        Returns:
            [K, B, W, cells].
        """
        columns, taken, mute = inputs
        none, cells = columns.shape[1] - 1, self._lstm.hidden_size
        h = np.empty((len(places), len(gates), none, cells), np.float32)
        for number, place in enumerate(places):
            rest, others = gates.copy(), taken.copy()
            others[:, place] = none
            lstm.add_columns(rest, columns, others, mute)
            lstm.imagine(rest, columns[place, :-1], is_first, state, self._games, h[number])
        return h
