"""From views to the first dense layer: values and gradients equal torch's."""

import pytest
import torch
from torch.nn.functional import conv2d, linear

from ssd_influence.kernels.convolution import LARGEST_PALETTE
from ssd_influence.networks import view_encoder
from ssd_influence.networks.view_encoder import VIEWS_PER_BLOCK, ConvEncoder, encode_views


def draw(views, side, channels, colours, width=5):
    """Random views, and weights that require gradients."""
    windows = (side - 2) ** 2
    weights = [
        torch.randn(channels, 3, 3, 3),
        torch.randn(channels),
        torch.randn(width, windows * channels) / windows,
        torch.randn(width),
    ]
    pixels = torch.randint(0, colours, (views, side, side), dtype=torch.uint8)
    return pixels, torch.rand(colours, 3), [weight.requires_grad_() for weight in weights]


def one_by_one(pixels, palette, kernel, kernel_bias, dense, dense_bias):
    """One view after the other, with plain torch and the windows put in order by hand."""
    out = []
    for view in pixels:
        rgb = palette[view.long()].permute(2, 0, 1)
        planes = conv2d(rgb[None], kernel, kernel_bias)[0].relu()
        by_window = torch.stack(
            [planes[:, y, x] for y in range(planes.shape[1]) for x in range(planes.shape[2])]
        )
        out.append(linear(by_window.flatten(), dense, dense_bias).relu())
    return torch.stack(out)


CASES = {
    "the paper's": (7, 15, 6, 12),
    "one channel, one colour": (3, 5, 1, 1),
    "a full block of channels": (4, 6, 8, 7),
    "channels beyond a block": (4, 6, 11, 7),
    "several blocks of views": (2 * VIEWS_PER_BLOCK + 3, 4, 2, 5),
    "the largest palette for the kernels": (3, 5, 3, LARGEST_PALETTE),
    "a palette too large for the kernels": (3, 5, 3, LARGEST_PALETTE + 1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_values_and_gradients_equal_those_of_plain_torch(case):
    pixels, palette, weights = draw(*case)
    wanted = one_by_one(pixels, palette, *weights)
    found = encode_views(pixels, palette, *weights)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    d_out = torch.randn_like(wanted)
    for one, other in zip(
        torch.autograd.grad(found, weights, d_out),
        torch.autograd.grad(wanted, weights, d_out),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        assert one.any()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_encoder_s_output_is_the_same_before_the_last_relu(case):
    pixels, palette, weights = draw(*case)
    encoder = ConvEncoder(palette, *weights)
    with torch.no_grad():
        encoded = encoder.encode(pixels.numpy(), torch.empty(len(pixels), 5)).relu()
        wanted = one_by_one(pixels, palette, *weights)
    torch.testing.assert_close(encoded, wanted, rtol=0, atol=1e-5)


FACTORS = torch.tensor([1.0, 0.0, 15.0, 1.0, 0.3])  # one for each output


def scaled_gradients(pixels, palette, weights, d_out, **options):
    encoded = encode_views(pixels, palette, *weights, gradient_factors=FACTORS, **options)
    return torch.autograd.grad(encoded, weights, d_out)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("has_kernels", [True, False], ids=["kernels", "torch"])
def test_gradient_factors_scale_each_output_s_gradient_in_the_convolution_only(
    case, has_kernels, monkeypatch
):
    if not has_kernels:
        monkeypatch.setattr(view_encoder, "is_host_float32", lambda _: False)
    pixels, palette, weights = draw(*case)
    d_out = torch.randn(len(pixels), len(FACTORS))
    found = scaled_gradients(pixels, palette, weights, d_out)
    encoded = one_by_one(pixels, palette, *weights)
    of_dense = torch.autograd.grad(encoded, weights[2:], d_out, retain_graph=True)
    of_convolution = torch.autograd.grad(encoded, weights[:2], d_out * FACTORS)
    for one, other in zip(found, (*of_convolution, *of_dense), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("has_kernels", [True, False], ids=["kernels", "torch"])
def test_gradient_factors_are_exact_in_bfloat16_up_to_its_rounding(has_kernels, monkeypatch):
    if not has_kernels:
        monkeypatch.setattr(view_encoder, "is_host_float32", lambda _: False)
    pixels, palette, weights = draw(*CASES["the paper's"])
    d_out = torch.randn(len(pixels), len(FACTORS))
    wanted = scaled_gradients(pixels, palette, weights, d_out)
    found = scaled_gradients(pixels, palette, weights, d_out, matmul_dtype=torch.bfloat16)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 2e-2 * other.norm()


def test_away_from_the_host_torch_computes_the_same(monkeypatch):
    monkeypatch.setattr(view_encoder, "is_host_float32", lambda _: False)
    pixels, palette, weights = draw(4, 7, 3, 6)
    wanted = one_by_one(pixels, palette, *weights)
    torch.testing.assert_close(encode_views(pixels, palette, *weights), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("broken", range(4))
def test_a_nan_in_any_weight_stays_visible(broken):
    pixels, palette, weights = draw(2, 5, 3, 4)
    with torch.no_grad():
        weights[broken].view(-1)[0] = float("nan")
    assert encode_views(pixels, palette, *weights).isnan().any()


def test_the_same_views_twice_give_twice_the_gradient():
    pixels, palette, weights = draw(3, 5, 3, 4)
    once = torch.autograd.grad(encode_views(pixels, palette, *weights).sum(), weights)
    twice = torch.autograd.grad(
        encode_views(pixels.repeat(2, 1, 1), palette, *weights).sum(), weights
    )
    for one, other in zip(once, twice, strict=True):
        torch.testing.assert_close(2 * one, other)


def test_a_pixel_that_is_not_in_the_palette_is_refused():
    pixels, palette, weights = draw(2, 5, 3, 4)
    pixels[1, 2, 3] = 4
    with pytest.raises(ValueError, match="wanted palette indices below 4, found 4"):
        encode_views(pixels, palette, *weights)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_in_bfloat16_values_and_gradients_equal_those_of_float32_up_to_its_rounding(case):
    pixels, palette, weights = draw(*case)
    wanted = encode_views(pixels, palette, *weights)
    found = encode_views(pixels, palette, *weights, matmul_dtype=torch.bfloat16)
    d_out = torch.randn_like(wanted)
    gradients = (torch.autograd.grad(out, weights, d_out) for out in (found, wanted))
    for one, other in ((found, wanted), *zip(*gradients, strict=True)):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 2e-2 * other.norm()
