import numpy as np
import pytest
import torch

from ssd_influence.kernels import lstm_step


@pytest.mark.parametrize("extreme", [0.0, 1e-8, 0.3, 5.0, 20.0, 88.0, 1e4, 1e30])
def test_the_cell_is_exact_up_to_rounding_for_gates_of_any_size(extreme):
    signs = np.array(
        [[i, f, g, o] for i in (-1, 1) for f in (-1, 1) for g in (-1, 1) for o in (-1, 1)]
    )
    gates = (extreme * signs).astype(np.float32)  # [16, 4 · 1]
    c_tm1 = np.linspace(-2, 2, 16, dtype=np.float32)
    state = np.stack([np.zeros(16, np.float32), c_tm1], 1)
    lstm_step.step(gates, np.zeros(16, np.bool_), state)
    i, f, g, o = torch.from_numpy(extreme * signs).double().unbind(1)
    c = f.sigmoid() * torch.from_numpy(c_tm1).double() + i.sigmoid() * g.tanh()
    assert state[:, 1] == pytest.approx(c.numpy(), abs=1e-6)
    assert state[:, 0] == pytest.approx((o.sigmoid() * c.tanh()).numpy(), abs=1e-6)
