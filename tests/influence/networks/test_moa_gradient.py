"""The MOA's gradient is scaled where it enters layers shared with the policy, not in its own."""

import pytest
import torch
from torch.nn.functional import linear

from ssd_influence.networks.moa_gradient import linear_with_scaled_gradient, scale_gradient


@pytest.mark.parametrize("factor", [0.0, 0.3, 15.0])
def test_features_stay_the_same_and_their_gradient_is_multiplied(factor):
    features = torch.randn(3, 4, requires_grad=True)
    scaled, d_scaled = scale_gradient(features, factor), torch.randn(3, 4)
    assert torch.equal(scaled, features)
    (found,) = torch.autograd.grad(scaled, features, d_scaled)
    torch.testing.assert_close(found, factor * d_scaled)


def test_a_dense_layer_s_outputs_and_own_gradients_stay_the_same():
    inputs, weight, bias = (
        torch.randn(*shape, requires_grad=True) for shape in ((6, 5), (4, 5), (4,))
    )
    d_out, factors = torch.randn(6, 4), torch.tensor([1.0, 1.0, 0.0, 7.0])
    found = linear_with_scaled_gradient(inputs, weight, bias, factors)
    wanted = linear(inputs, weight, bias)
    torch.testing.assert_close(found, wanted)
    own = torch.autograd.grad(found, (weight, bias), d_out, retain_graph=True)
    wanted_own = torch.autograd.grad(wanted, (weight, bias), d_out, retain_graph=True)
    torch.testing.assert_close(own, wanted_own)
    (d_inputs,) = torch.autograd.grad(found, inputs, d_out)
    (wanted_d_inputs,) = torch.autograd.grad(wanted, inputs, d_out * factors)
    torch.testing.assert_close(d_inputs, wanted_d_inputs)
