"""Dense layers too small for a matrix product to pay off, and sampling from a policy."""

from __future__ import annotations

import math

import numpy as np

from ssd_influence.array_types import F32, U8
from ssd_influence.kernels.compilation import kernel
from ssd_influence.kernels.float_arrays import Floats, load


@kernel
def relu_dense_relu(x: F32, begin: int, weight: F32, bias: F32, out: F32) -> None:
    """ReLU(weight · ReLU(x) + bias), from some columns of x into the first columns of `out`.

    Args:
        x: [B, at least begin + inputs].
        begin: the first column to use.
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
def add_(total: F32, term: Floats) -> None:
    """Add a matrix [N, M] to `total`, in place; torch is slow if the dtypes differ."""
    for n in range(len(total)):
        to, begin = total[n], n * total.shape[1]
        for m in range(len(to)):
            to[m] += load(term, begin + m)


@kernel
def sample(
    state: F32, weight: F32, bias: F32, noise: F32, logits: F32, index: U8, log_prob: F32
) -> None:
    """Sample an action, or a symbol, from the policy softmax(weight · h + bias).

    The argmax of p(a) / noise(a), with noise from Exp(1), is action a with probability p(a).

    Args:
        state: [B, 2 · cells]; h is its first half.
        weight: [A, cells].
        bias: [A].
        noise: [B, A] draws from Exp(1).
        logits: [B, A] out.
        index: [B] out, the sampled action.
        log_prob: [B] out, of that action.
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
        total, best, argmax = 0.0, -1.0, 0
        for a in range(actions):
            p = math.exp(logits[b, a] - most)
            total += p
            if p / noise[b, a] > best:
                best, argmax = p / noise[b, a], a
        index[b] = argmax
        log_prob[b] = logits[b, argmax] - most - math.log(total)
