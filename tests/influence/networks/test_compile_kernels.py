"""Kernels are compiled before they are needed: once, and in every type that learning calls."""

import pytest
import torch

from ssd_influence.kernels import convolution, dense, lstm_unroll
from ssd_influence.networks import view_encoder
from ssd_influence.networks.compile_kernels import compile_kernels
from ssd_influence.networks.lstm import Lstm, LstmState

LEARNING = {
    function.__name__: function
    for module in (convolution, dense, lstm_unroll)
    for function in vars(module).values()
    if hasattr(function, "nopython_signatures") and function.__module__ == module.__name__
}
CALLED = {
    "build_row_table",
    "row_table_gradient",
    "convolve_relu",
    "convolve_relu_gradient",
    "add_",
}
CALLED |= {"copy_inputs", "forward", "backward", "copy_input_gradient"}


def compiled():
    return {name: len(LEARNING[name].nopython_signatures) for name in CALLED}


@pytest.mark.parametrize("matmul_dtype", [torch.float32, torch.bfloat16])
def test_what_learns_finds_its_kernels_compiled(matmul_dtype):
    compile_kernels()
    before = compiled()
    lstm, conv = Lstm(6, 8), torch.nn.Conv2d(3, 4, 3)
    lstm.matmul_dtype = matmul_dtype
    linear = torch.nn.Linear(36, 6)
    pixels = torch.randint(0, 5, (40, 5, 5), dtype=torch.uint8)
    layers = conv.weight, conv.get_parameter("bias"), linear.weight, linear.bias
    seen = view_encoder.encode_views(pixels, torch.rand(5, 3), *layers, matmul_dtype=matmul_dtype)
    is_first, state = torch.zeros(4, 10, dtype=torch.bool), LstmState(*torch.zeros(2, 10, 8))
    lstm.unroll(seen.view(4, 10, 6), is_first, [2], state)[0].sum().backward()
    assert min(before.values()) > 0
    assert compiled() == before
