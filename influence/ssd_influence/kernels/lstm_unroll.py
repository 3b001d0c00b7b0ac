"""An LSTM's steps and their gradients, without the matrix products; see `networks.lstm_sequence`.

    i, f, o = σ(z_i), σ(z_f), σ(z_o)    g = tanh z_g    c = f c′ + i g    h = o tanh c

With tanh z = 2σ(2z) − 1, all gates are computed by one loop. A call works on a block of G of the B
games. Gates are in PyTorch's order i f g o. For the dtypes of `Floats` see `float_arrays`.
"""

from __future__ import annotations

import numpy as np

from ssd_influence.array_types import F32
from ssd_influence.kernels.compilation import inlined, kernel
from ssd_influence.kernels.exponential import LOG2_E, ONE, TWO, exp2
from ssd_influence.kernels.float_arrays import Floats, load, store


@inlined
def _tanh(x: np.float32) -> np.float32:
    return TWO / (ONE + exp2(x * (-TWO * LOG2_E))) - ONE


@kernel
def copy_inputs(inputs: F32, begin: int, cells: int, hx: Floats) -> None:
    """Copy all inputs to where the matrix products read them.

    Args:
        inputs: [T, B, inputs].
        begin: the first of the G games among the B.
        cells: number of columns of `hx` that hold h.
        hx: [T+1, G, at least cells + inputs] out, but for h; columns beyond the inputs become 0.
    """
    steps, all_games, width = inputs.shape
    games, columns = hx.shape[1], hx.shape[2]
    for t in range(steps):
        for b in range(games):
            source, to = (t * all_games + begin + b) * width, (t * games + b) * columns + cells
            for k in range(width):
                store(hx, to + k, load(inputs, source + k))
            for k in range(width, columns - cells):
                store(hx, to + k, np.float32(0))


@kernel
def forward(gates: Floats, bias: F32, c: F32, t: int, out: F32, begin: int, hx: Floats) -> None:
    """Step t.

    Args:
        gates: [T, G, 4 · cells] W·x + U·h in, i f g o out, at t; or [1, G, 4 · cells] of t alone.
        bias: [4 · cells].
        c: [T+1, G, cells], c_{t−1} at t in, c_t at t+1 out.
        t: the step.
        out: [T, B, cells], h_t at t out.
        begin: the first of the G games among the B.
        hx: [T+1, G, at least cells], h_t at t+1 out.
    """
    (kept, games, width), cells = gates.shape, c.shape[2]
    all_games, columns = out.shape[1], hx.shape[2]
    first = t % kept * games
    scale, factor = np.full(width, -LOG2_E, np.float32), np.ones(width, np.float32)
    shift, gate = np.zeros(width, np.float32), np.empty(width, np.float32)
    for k in range(2 * cells, 3 * cells):
        scale[k], factor[k], shift[k] = -TWO * LOG2_E, TWO, -ONE
    for b in range(games):
        z, before = (first + b) * width, (t * games + b) * cells
        h, after = (t * all_games + begin + b) * cells, before + games * cells
        for k in range(width):
            x = exp2((load(gates, z + k) + bias[k]) * scale[k])
            gate[k] = factor[k] / (ONE + x) + shift[k]
        for k in range(width):
            store(gates, z + k, gate[k])
        for k in range(cells):
            remembered = gate[cells + k] * load(c, before + k)
            store(c, after + k, remembered + gate[k] * gate[2 * cells + k])
        for k in range(cells):
            store(out, h + k, gate[3 * cells + k] * _tanh(load(c, after + k)))
        for k in range(cells):
            store(hx, ((t + 1) * games + b) * columns + k, load(out, h + k))


@inlined
def _copy_input_gradient(d_hx: Floats, cells: int, t: int, begin: int, d_inputs: F32) -> None:
    """See `copy_input_gradient`."""
    (games, columns), (_, all_games, width) = d_hx.shape, d_inputs.shape
    for b in range(games):
        source, to = b * columns + cells, (t * all_games + begin + b) * width
        for k in range(width):
            store(d_inputs, to + k, load(d_hx, source + k))


@kernel
def backward(
    gates: Floats,
    c: F32,
    t: int,
    d_out: F32,
    begin: int,
    d_hx: Floats,
    d_c: F32,
    d_bias: F32,
    d_inputs: F32,
) -> None:
    """The gradient of step t.

    Args:
        gates: [T, G, 4 · cells] i f g o in, the gradient of their pre-activations out, at t.
        c: [T+1, G, cells] from `forward`.
        t: the step.
        d_out: [T, B, cells].
        begin: the first of the G games among the B.
        d_hx: [G, at least cells + inputs] gradient of h_t from later steps, and of x_{t+1}.
        d_c: [G, cells] gradient of c_t from later steps in, that of c_{t−1} out.
        d_bias: [4 · cells] in and out.
        d_inputs: [T, B, inputs] out, at t+1.
    """
    (_, games, width), cells = gates.shape, c.shape[2]
    if t + 1 < len(d_inputs):
        _copy_input_gradient(d_hx, cells, t + 1, begin, d_inputs)
    all_games, columns = d_out.shape[1], d_hx.shape[1]
    gate, d_z = np.empty(width, np.float32), np.empty(width, np.float32)
    tanh_c, d_h = np.empty(cells, np.float32), np.empty(cells, np.float32)
    d_c_t = np.empty(cells, np.float32)
    i, d_i = gate[:cells], d_z[:cells]
    f, d_f = gate[cells : 2 * cells], d_z[cells : 2 * cells]
    g, d_g = gate[2 * cells : 3 * cells], d_z[2 * cells : 3 * cells]
    o, d_o = gate[3 * cells :], d_z[3 * cells :]
    for b in range(games):
        z, before = (t * games + b) * width, (t * games + b) * cells
        h = (t * all_games + begin + b) * cells
        for k in range(width):
            gate[k] = load(gates, z + k)
        for k in range(cells):
            tanh_c[k] = _tanh(load(c, before + games * cells + k))
        for k in range(cells):
            d_h[k] = load(d_out, h + k) + load(d_hx, b * columns + k)
        for k in range(cells):
            through_h = d_h[k] * o[k] * (ONE - tanh_c[k] * tanh_c[k])
            d_c_t[k] = load(d_c, b * cells + k) + through_h
        for k in range(cells):
            d_i[k] = d_c_t[k] * g[k] * i[k] * (ONE - i[k])
        for k in range(cells):
            d_f[k] = d_c_t[k] * load(c, before + k) * f[k] * (ONE - f[k])
        for k in range(cells):
            d_g[k] = d_c_t[k] * i[k] * (ONE - g[k] * g[k])
        for k in range(cells):
            d_o[k] = d_h[k] * tanh_c[k] * o[k] * (ONE - o[k])
        for k in range(cells):
            store(d_c, b * cells + k, d_c_t[k] * f[k])
        for k in range(width):
            store(gates, z + k, d_z[k])
        for k in range(width):
            d_bias[k] += d_z[k]


@kernel
def copy_input_gradient(d_hx: Floats, cells: int, t: int, begin: int, d_inputs: F32) -> None:
    """The gradient of `copy_inputs` at step t.

    Args:
        d_hx: [G, at least cells + inputs].
        cells: number of its columns that hold the gradient of h.
        t: the step.
        begin: the first of the G games among the B.
        d_inputs: [T, B, inputs] out, at t.
    """
    _copy_input_gradient(d_hx, cells, t, begin, d_inputs)
