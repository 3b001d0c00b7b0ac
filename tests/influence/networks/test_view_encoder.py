"""Views to the first dense layer: the kernels' way is torch's, there and back."""

import pytest
import torch
from torch.nn.functional import conv2d, linear

from ssd_influence.kernels.convolution import LARGEST_PALETTE
from ssd_influence.networks import view_encoder
from ssd_influence.networks.view_encoder import VIEWS_PER_BLOCK, ConvEncoder, encode_views


def drawn(views, side, channels, colours, width=5):
    """Views, and weights that want a gradient."""
    windows = (side - 2) ** 2
    weights = [
        torch.randn(channels, 3, 3, 3),
        torch.randn(channels),
        torch.randn(width, windows * channels) / windows,
        torch.randn(width),
    ]
    pixels = torch.randint(0, colours, (views, side, side), dtype=torch.uint8)
    return pixels, torch.rand(colours, 3), [weight.requires_grad_() for weight in weights]


def literally(pixels, palette, kernel, kernel_bias, dense, dense_bias):
    """One view after the other, its colours looked up and its windows laid out by hand."""
    out = []
    for view in pixels:
        rgb = palette[view.long()].permute(2, 0, 1)
        seen = conv2d(rgb[None], kernel, kernel_bias)[0].relu()
        by_window = torch.stack(
            [seen[:, y, x] for y in range(seen.shape[1]) for x in range(seen.shape[2])]
        )
        out.append(linear(by_window.flatten(), dense, dense_bias).relu())
    return torch.stack(out)


CASES = {
    "the paper's": (7, 15, 6, 12),
    "one channel, one colour": (3, 5, 1, 1),
    "a full block of channels": (4, 6, 8, 7),
    "channels beyond a block": (4, 6, 11, 7),
    "more than a handful": (2 * VIEWS_PER_BLOCK + 3, 4, 2, 5),
    "the largest palette of the kernels": (3, 5, 3, LARGEST_PALETTE),
    "a palette too large for them": (3, 5, 3, LARGEST_PALETTE + 1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_views_become_what_torch_makes_of_them_and_weights_get_torch_s_gradient(case):
    pixels, palette, weights = drawn(*case)
    wanted = literally(pixels, palette, *weights)
    found = encode_views(pixels, palette, *weights)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)
    blame = torch.randn_like(wanted)
    for one, other in zip(
        torch.autograd.grad(found, weights, blame),
        torch.autograd.grad(wanted, weights, blame),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
        assert one.any()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_eye_sees_the_same_but_for_the_last_relu(case):
    pixels, palette, weights = drawn(*case)
    eye = ConvEncoder(palette, *weights)
    with torch.no_grad():
        seen = eye.encode(pixels.numpy(), torch.empty(len(pixels), 5)).relu()
        wanted = literally(pixels, palette, *weights)
    torch.testing.assert_close(seen, wanted, rtol=0, atol=1e-5)


def test_away_from_the_host_torch_does_it(monkeypatch):
    monkeypatch.setattr(view_encoder, "is_host_float32", lambda _: False)
    pixels, palette, weights = drawn(4, 7, 3, 6)
    wanted = literally(pixels, palette, *weights)
    torch.testing.assert_close(encode_views(pixels, palette, *weights), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("broken", range(4))
def test_a_weight_that_is_no_number_is_not_hidden(broken):
    pixels, palette, weights = drawn(2, 5, 3, 4)
    with torch.no_grad():
        weights[broken].view(-1)[0] = float("nan")
    assert encode_views(pixels, palette, *weights).isnan().any()


def test_a_view_looked_at_twice_gives_twice_the_gradient():
    pixels, palette, weights = drawn(3, 5, 3, 4)
    once = torch.autograd.grad(encode_views(pixels, palette, *weights).sum(), weights)
    twice = torch.autograd.grad(
        encode_views(pixels.repeat(2, 1, 1), palette, *weights).sum(), weights
    )
    for one, other in zip(once, twice, strict=True):
        torch.testing.assert_close(2 * one, other)


def test_a_colour_that_is_not_in_the_palette_is_refused():
    pixels, palette, weights = drawn(2, 5, 3, 4)
    pixels[1, 2, 3] = 4
    with pytest.raises(ValueError, match="wanted palette indices below 4, found 4"):
        encode_views(pixels, palette, *weights)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_in_bfloat16_values_and_gradients_are_those_of_float32_but_for_its_rounding(case):
    pixels, palette, weights = drawn(*case)
    wanted = encode_views(pixels, palette, *weights)
    found = encode_views(pixels, palette, *weights, matmul_dtype=torch.bfloat16)
    blame = torch.randn_like(wanted)
    gradients = (torch.autograd.grad(out, weights, blame) for out in (found, wanted))
    for one, other in ((found, wanted), *zip(*gradients, strict=True)):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 2e-2 * other.norm()
