"""bfloat16 on processors with and without instructions for it."""

import os
import subprocess
import sys

import pytest
import torch

from ssd_influence.networks.bfloat16 import has_fast_bfloat16

ERRORS = """
import torch
from ssd_influence.networks.lstm import Lstm, LstmState
from ssd_influence.networks.view_encoder import encode_views
lstm, dense = Lstm(6, 8), torch.randn(6, 9 * 4) / 6
pixels = torch.randint(0, 5, (40, 5, 5), dtype=torch.uint8)
weights = torch.rand(5, 3), torch.randn(4, 3, 3, 3), torch.randn(4), dense, torch.randn(6)
is_first, state = torch.zeros(4, 10, dtype=torch.bool), LstmState(*torch.zeros(2, 10, 8))
def run(matmul_dtype):
    lstm.matmul_dtype = matmul_dtype
    features = encode_views(pixels, *weights, matmul_dtype=matmul_dtype)
    return lstm.unroll(features.view(4, 10, 6), is_first, [], state)[0]
wanted, found = run(torch.float32), run(torch.bfloat16)
print(float((found - wanted).norm() / wanted.norm()))
"""


def printed(program: str, **environment: str) -> list[float]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


@pytest.mark.parametrize(("tiles", "dots"), [(False, False), (False, True), (True, True)])
def test_bfloat16_is_fast_if_the_processor_has_instructions_for_it(monkeypatch, tiles, dots):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: dots)
    assert has_fast_bfloat16() == (torch.backends.mkldnn.is_available() and dots)


@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_a_processor_without_bfloat16_instructions_gives_the_same_results(instructions):
    (error,) = printed(ERRORS, ONEDNN_MAX_CPU_ISA=instructions, ATEN_CPU_CAPABILITY="avx2")
    assert 0 < error < 2e-2
