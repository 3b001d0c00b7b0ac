"""`compile_kernels` compiles every kernel of training, for every dtype that training uses."""

import pytest
import torch

from ssd_influence.kernels import convolution, dense, lstm_unroll
from ssd_influence.networks import view_encoder
from ssd_influence.networks.compile_kernels import compile_kernels
from ssd_influence.networks.lstm import Lstm, LstmState

KERNELS = {
    function.__name__: function
    for module in (convolution, dense, lstm_unroll)
    for function in vars(module).values()
    if hasattr(function, "nopython_signatures") and function.__module__ == module.__name__
}
USED = {
    "build_row_table",
    "row_table_gradient",
    "convolve_relu",
    "convolve_relu_gradient",
    "add_",
}
USED |= {"copy_inputs", "forward", "backward", "copy_input_gradient"}


def signatures():
    return {name: len(KERNELS[name].nopython_signatures) for name in USED}


@pytest.mark.parametrize("matmul_dtype", [torch.float32, torch.bfloat16])
def test_training_compiles_no_kernel_after_compile_kernels(matmul_dtype):
    compile_kernels()
    before = signatures()
    lstm, conv = Lstm(6, 8), torch.nn.Conv2d(3, 4, 3)
    lstm.matmul_dtype = matmul_dtype
    linear = torch.nn.Linear(36, 6)
    pixels = torch.randint(0, 5, (40, 5, 5), dtype=torch.uint8)
    layers = conv.weight, conv.get_parameter("bias"), linear.weight, linear.bias
    features = view_encoder.encode_views(
        pixels, torch.rand(5, 3), *layers, matmul_dtype=matmul_dtype
    )
    is_first, state = torch.zeros(4, 10, dtype=torch.bool), LstmState(*torch.zeros(2, 10, 8))
    lstm.unroll(features.view(4, 10, 6), is_first, [2], state)[0].sum().backward()
    assert min(before.values()) > 0
    assert signatures() == before
