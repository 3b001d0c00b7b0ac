"""Small dense layers, and the draw from a policy, where a matrix product would not pay."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ssd_influence.kernels.compilation import kernel
from ssd_influence.kernels.float_arrays import Floats, get

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


@kernel
def relu_dense_relu(x: F32, begin: int, weight: F32, bias: F32, out: F32) -> None:
    """ReLU(weight · ReLU(x) + bias), from some columns of x into the first of `out`.

    Args:
        x: [B, at least begin + inputs].
        begin: the first column to take.
        weight: [inputs, outputs].
        bias: [outputs].
        out: [B, at least outputs] out.
    """
    inputs, outputs = weight.shape
    for b in range(len(x)):
        to = out[b, :outputs]
        to[:] = bias
        for i in range(inputs):
            value, row = x[b, begin + i], weight[i]
            if value < 0:
                continue
            for k in range(outputs):
                to[k] += value * row[k]
        for k in range(outputs):
            if to[k] < 0:
                to[k] = 0


@kernel
def add(total: F32, part: Floats) -> None:
    """Add a matrix [N, M] to the sum of such; torch takes its time where types differ."""
    for n in range(len(total)):
        to, begin = total[n], n * total.shape[1]
        for m in range(len(to)):
            to[m] += get(part, begin + m)


@kernel
def choose(
    state: F32, weight: F32, bias: F32, noise: F32, logits: F32, chosen: U8, log_prob: F32
) -> None:
    """Draw an action, or a symbol, from the policy softmax(weight · h + bias).

    The largest of p / Exp(1) falls on action a with probability p(a).

    Args:
        state: [B, 2 · cells]; h is its first half.
        weight: [A, cells].
        bias: [A].
        noise: [B, A] draws of Exp(1).
        logits: [B, A] out.
        chosen: [B] out.
        log_prob: [B] out, of what was chosen.
    """
    actions, cells = weight.shape
    for b in range(len(state)):
        h = state[b, :cells]
        most = -np.inf
        for a in range(actions):
            row, logit = weight[a], bias[a]
            for k in range(cells):
                logit += row[k] * h[k]
            logits[b, a] = logit
            most = max(most, logit)
        total, best, at = 0.0, -1.0, 0
        for a in range(actions):
            p = math.exp(logits[b, a] - most)
            total += p
            if p / noise[b, a] > best:
                best, at = p / noise[b, a], a
        chosen[b] = at
        log_prob[b] = logits[b, at] - most - math.log(total)
