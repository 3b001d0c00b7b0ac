"""Steps of one LSTM on a CPU, with one-hot inputs added as columns of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ssd_influence.array_types import F32, U8, Bools
from ssd_influence.kernels import lstm_step
from ssd_influence.kernels.compilation import as_array
from ssd_influence.networks.lstm import Lstm


class OneHotInputs(NamedTuple):
    """K one-hot inputs of size W each, at one step of B games."""

    columns: F32  # [K, W + 1, 4 · cells] what each value adds to the gates; value W adds nothing
    values: U8  # [B, K] the value of each input
    is_absent: Bools  # [B] where all these inputs are zeros


class LstmStepper:
    """One LSTM with F float inputs, and groups of one-hot inputs after them.

    Args:
        lstm: whose weights are used, as of the last `reload_weights`.
        num_floats: F.
        one_hot_groups: number and size of the one-hot inputs of each group.
        num_games: B.

    Attributes:
        inputs: [B, F + cells]; callers write the first F columns, the rest is h.
        columns: for each group, as in `OneHotInputs`.
        state_shape: of its recurrent state, [B, 2 · cells].
    """

    def __init__(
        self,
        lstm: Lstm,
        num_floats: int,
        one_hot_groups: Sequence[tuple[int, int]],
        num_games: int,
    ) -> None:
        self._lstm, self._num_floats, self._groups = lstm, num_floats, one_hot_groups
        self._inputs = torch.zeros(num_games, num_floats + lstm.hidden_size)
        self._gates = torch.empty(num_games, 4 * lstm.hidden_size)
        self._gates_array = as_array(self._gates)
        self._rows = np.arange(num_games)
        self.inputs = as_array(self._inputs)
        self.state_shape = num_games, 2 * lstm.hidden_size

    @torch.no_grad()
    def reload_weights(self) -> None:
        """Copy the LSTM's current weights."""
        input_weight, recurrent_weight = self._lstm.weight_ih_l0, self._lstm.weight_hh_l0
        weight = torch.cat([input_weight[:, : self._num_floats], recurrent_weight], 1)
        self._weight = weight.t()
        self._bias = self._lstm.bias_ih_l0 + self._lstm.bias_hh_l0
        one_hot_columns = input_weight[:, self._num_floats :].t()
        blocks = one_hot_columns.split_with_sizes([number * size for number, size in self._groups])
        self.columns = [
            as_array(
                torch.nn.functional.pad(block.reshape(*group, len(input_weight)), (0, 0, 0, 1))
            )
            for block, group in zip(blocks, self._groups, strict=True)
        ]

    def gates(self, state: F32, is_first: Bools) -> F32:
        """[B, 4 · cells] of the float inputs, h and the bias; valid until the next call."""
        lstm_step.copy_hidden(state, is_first, self.inputs)
        torch.addmm(self._bias, self._inputs, self._weight, out=self._gates)
        return self._gates_array

    def counterfactual_outputs(
        self,
        gates: F32,
        inputs: OneHotInputs,
        places: Sequence[int],
        is_first: Bools,
        state: F32,
    ) -> F32:
        """The output h for every value of one of the inputs, while all other inputs stay.

        Args:
            gates: [B, 4 · cells] without these inputs.
            inputs: at this step.
            places: [K] which of them to vary, one at a time.
            is_first: [B], where the state before counts as zeros.
            state: [B, 2 · cells] before this step; it is not changed.

        Returns:
            [K, B, W, cells].
        """
        columns, values, is_absent = inputs
        absent_value, cells = columns.shape[1] - 1, self._lstm.hidden_size
        h = np.empty((len(places), len(gates), absent_value, cells), np.float32)
        for number, place in enumerate(places):
            gates_of_rest, values_of_rest = gates.copy(), values.copy()
            values_of_rest[:, place] = absent_value
            lstm_step.add_one_hot(gates_of_rest, columns, values_of_rest, is_absent)
            alternatives = columns[place, :-1]
            step = is_first, state, self._rows, h[number]
            lstm_step.counterfactual_step(gates_of_rest, alternatives, *step)
        return h
