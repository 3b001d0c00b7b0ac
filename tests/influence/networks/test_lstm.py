"""The LSTM along a sequence: plain torch's numbers, there and back, in float32 and in bfloat16."""

import pytest
import torch

from ssd_influence.networks.lstm import Lstm, LstmState
from ssd_influence.networks.lstm_sequence import GAMES_PER_BLOCK

STEPS, INPUTS, CELLS = 7, 5, 16
STARTS = [3, 4]


def sequence(games):
    """Inputs, the state before them, and where episodes start: in mid-sequence, and at once."""
    inputs = torch.randn(STEPS, games, INPUTS, requires_grad=True)
    state = LstmState(*(torch.randn(games, CELLS, requires_grad=True) for _ in range(2)))
    is_first = torch.zeros(STEPS, games, dtype=torch.bool)
    is_first[0, 0] = is_first[3, :2] = is_first[4, 1] = True
    return inputs, is_first, state


def unrolled(lstm, inputs, is_first, state):
    """What `unroll` gives, and the gradients of inputs, state and weights of a sum it enters."""
    outputs, _ = lstm.unroll(inputs, is_first, STARTS, state)
    return with_gradients(outputs, lstm, inputs, state)


def stepped(lstm, inputs, is_first, state):
    """The same, one step after the other."""
    outputs, now = [], state
    for inputs_t, is_first_t in zip(inputs, is_first, strict=True):
        now = lstm.step(inputs_t, now.reset(is_first_t))
        outputs.append(now.h)
    return with_gradients(torch.stack(outputs), lstm, inputs, state)


def with_gradients(outputs, lstm, inputs, state):
    blame = torch.linspace(-1, 2, outputs.numel()).view_as(outputs)
    return outputs, *torch.autograd.grad(outputs, [inputs, *state, *lstm.parameters()], blame)


@pytest.mark.parametrize("games", [2, 5, 240])
def test_a_sequence_gives_what_its_steps_give_and_so_do_its_gradients(games):
    lstm, known = Lstm(INPUTS, CELLS), sequence(games)
    for one, other in zip(unrolled(lstm, *known), stepped(lstm, *known), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("games", [2, 5, 240])
def test_in_bfloat16_values_and_gradients_are_those_of_float32_but_for_its_rounding(games):
    lstm, known = Lstm(INPUTS, CELLS), sequence(games)
    wanted = unrolled(lstm, *known)
    lstm.matmul_dtype = torch.bfloat16
    for one, other in zip(unrolled(lstm, *known), wanted, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 2e-2 * other.norm()


def test_products_in_bfloat16_leave_the_weights_as_they_are():
    lstm, known = Lstm(INPUTS, CELLS), sequence(3)
    lstm.matmul_dtype = torch.bfloat16
    before = [weight.detach().clone() for weight in lstm.parameters()]
    unrolled(lstm, *known)
    for weight, old in zip(lstm.parameters(), before, strict=True):
        torch.testing.assert_close(weight.detach(), old, rtol=0, atol=0)


@pytest.mark.parametrize("matmul_dtype", [torch.float32, torch.bfloat16])
def test_the_way_back_can_be_gone_twice(matmul_dtype):
    lstm, (inputs, is_first, state) = Lstm(INPUTS, CELLS), sequence(3)
    lstm.matmul_dtype = matmul_dtype
    outputs = lstm.unroll(inputs, is_first, STARTS, state)[0].sum()
    once, twice = (
        torch.autograd.grad(outputs, list(lstm.parameters()), retain_graph=True) for _ in range(2)
    )
    for one, other in zip(once, twice, strict=True):
        torch.testing.assert_close(one, other)


def test_without_gradients_a_sequence_gives_the_same():
    lstm, known = Lstm(INPUTS, CELLS), sequence(5)
    wanted, *_ = unrolled(lstm, *known)
    inputs, is_first, state = known
    with torch.no_grad():
        found, _ = lstm.unroll(inputs, is_first, STARTS, state)
    torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=0)


def test_more_games_than_the_cache_holds_are_taken_in_parts_that_do_not_show():
    lstm, (inputs, is_first, state) = Lstm(INPUTS, CELLS), sequence(2 * GAMES_PER_BLOCK + 1)
    for one, other in zip(
        unrolled(lstm, inputs, is_first, state), stepped(lstm, inputs, is_first, state), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_number_that_is_none_is_not_hidden():
    lstm, (inputs, is_first, state) = Lstm(INPUTS, CELLS), sequence(3)
    with torch.no_grad():
        inputs[2, 1, 0] = float("nan")
        outputs, _ = lstm.unroll(inputs, is_first, [], state)
    assert not outputs[:2].isnan().any()
    assert outputs[2:, 1].isnan().all()
    assert not outputs[:, [0, 2]].isnan().any()
