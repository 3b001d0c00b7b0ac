"""An LSTM step after its matrix products: one-hot inputs, gates, cell and output.

A one-hot input selects a column of the weights, so it is added to the gates as that column. Every
gate is a function of one exponential x = 2^(−z log₂ e): σ(z) = 1 / (1 + x), and with y = x²,
tanh z = (1 − y) / (1 + y). Combining these needs two divisions per cell:

    c = [c′ (1 + x_i)(1 + y_g) + (1 − y_g)(1 + x_f)] / [(1 + x_i)(1 + y_g)(1 + x_f)]
    h = (1 − y_c) / [(1 + y_c)(1 + x_o)]

Gates are in PyTorch's order i f g o. State is [B, 2 · cells]: h, then c.
"""

from __future__ import annotations

import numpy as np

from ssd_influence.array_types import F32, I64, U8, Bools
from ssd_influence.kernels.compilation import inlined, kernel
from ssd_influence.kernels.exponential import LOG2_E, ONE, TWO, exp2

SIGMOID, TANH = -LOG2_E, -TWO * LOG2_E


@kernel
def copy_hidden(state: F32, is_first: Bools, x: F32) -> None:
    """Copy h to the input of the matrix product, zeros where an episode starts.

    Args:
        state: [B, 2 · cells].
        is_first: [B].
        x: [B, inputs + cells] in and out; h goes to its last columns.
    """
    cells = state.shape[1] // 2
    for b in range(len(state)):
        to = x[b, x.shape[1] - cells :]
        if is_first[b]:
            to[:] = 0
        else:
            to[:] = state[b, :cells]


@inlined
def _cell(x: F32, c_tm1: F32, c: F32, h: F32) -> None:
    """From the exponentials [4 · cells] of the gates to the cell and the output, [cells] each."""
    cells = len(c_tm1)
    x_i, x_f = x[:cells], x[cells : 2 * cells]
    x_g, x_o = x[2 * cells : 3 * cells], x[3 * cells :]
    for k in range(cells):
        y_g = x_g[k] * x_g[k]
        f, ig = ONE + x_f[k], (ONE + x_i[k]) * (ONE + y_g)
        c[k] = (c_tm1[k] * ig + (ONE - y_g) * f) / (ig * f)
    for k in range(cells):
        y = exp2(c[k] * TANH)
        h[k] = (ONE - y) / ((ONE + y) * (ONE + x_o[k]))


@kernel
def add_one_hot(gates: F32, columns: F32, index: U8, is_absent: Bools) -> None:
    """Add what K one-hot inputs contribute to the gates of B games.

    Args:
        gates: [B, 4 · cells] in and out.
        columns: [K, A, 4 · cells] what each value of each input adds.
        index: [B, K] uint8, the value of each input.
        is_absent: [B] where the inputs are all zeros.
    """
    for b in range(len(gates)):
        if is_absent[b]:
            continue
        to = gates[b]
        for j in range(len(columns)):
            column = columns[j, index[b, j]]
            for k in range(len(to)):
                to[k] += column[k]


@kernel
def step(gates: F32, is_first: Bools, state: F32) -> None:
    """One step in B games.

    Args:
        gates: [B, 4 · cells] W·x + U·h + b.
        is_first: [B], where the previous cell counts as 0.
        state: [B, 2 · cells] in and out.
    """
    cells = state.shape[1] // 2
    x, c = np.empty(4 * cells, np.float32), np.empty(cells, np.float32)
    zeros = np.zeros(cells, np.float32)
    for b in range(len(state)):
        z = gates[b]
        for k in range(len(z)):
            x[k] = exp2(z[k] * SIGMOID)
        _cell(x, zeros if is_first[b] else state[b, cells:], c, state[b, :cells])
        state[b, cells:] = c


@kernel
def counterfactual_step(
    gates: F32, columns: F32, is_first: Bools, state: F32, rows: I64, h: F32
) -> None:
    """A step in R games for each value of one more one-hot input; the state does not change.

    Args:
        gates: [B, 4 · cells] without that input.
        columns: [A, 4 · cells] what each of its values adds.
        is_first: [B], where the previous cell counts as 0.
        state: [B, 2 · cells].
        rows: [R] indices of the games.
        h: [R, A, cells] out.
    """
    cells = state.shape[1] // 2
    x = np.empty(4 * cells, np.float32)
    c, zeros = np.empty(cells, np.float32), np.zeros(cells, np.float32)
    for r in range(len(rows)):
        b = rows[r]
        c_tm1 = zeros if is_first[b] else state[b, cells:]
        for a in range(len(columns)):
            for k in range(4 * cells):
                x[k] = exp2((gates[b, k] + columns[a, k]) * SIGMOID)
            _cell(x, c_tm1, c, h[r, a])
