"""The LSTM over a sequence: values and gradients equal plain torch's, in float32 and bfloat16."""

import pytest
import torch

from ssd_influence.networks.lstm import Lstm, LstmState
from ssd_influence.networks.lstm_sequence import GAMES_PER_BLOCK

STEPS, INPUTS, CELLS = 7, 5, 16
STARTS = [3, 4]


def sequence(games):
    """Inputs, where episodes start (at the first step and later), and the state before."""
    inputs = torch.randn(STEPS, games, INPUTS, requires_grad=True)
    state = LstmState(*(torch.randn(games, CELLS, requires_grad=True) for _ in range(2)))
    is_first = torch.zeros(STEPS, games, dtype=torch.bool)
    is_first[0, 0] = is_first[3, :2] = is_first[4, 1] = True
    return inputs, is_first, state


def unrolled(lstm, inputs, is_first, state):
    """The outputs of `unroll`, and gradients of inputs, state and weights."""
    outputs, _ = lstm.unroll(inputs, is_first, STARTS, state)
    return with_gradients(outputs, lstm, inputs, state)


def stepped(lstm, inputs, is_first, state):
    """The same by `step`, one step after the other."""
    outputs, state_t = [], state
    for inputs_t, is_first_t in zip(inputs, is_first, strict=True):
        state_t = lstm.step(inputs_t, state_t.reset(is_first_t))
        outputs.append(state_t.h)
    return with_gradients(torch.stack(outputs), lstm, inputs, state)


def with_gradients(outputs, lstm, inputs, state):
    weights = torch.linspace(-1, 2, outputs.numel()).view_as(outputs)
    return outputs, *torch.autograd.grad(outputs, [inputs, *state, *lstm.parameters()], weights)


@pytest.mark.parametrize("games", [2, 5, 240])
def test_unroll_equals_single_steps_in_values_and_gradients(games):
    lstm, given = Lstm(INPUTS, CELLS), sequence(games)
    for one, other in zip(unrolled(lstm, *given), stepped(lstm, *given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("games", [2, 5, 240])
def test_in_bfloat16_values_and_gradients_equal_those_of_float32_up_to_its_rounding(games):
    lstm, given = Lstm(INPUTS, CELLS), sequence(games)
    wanted = unrolled(lstm, *given)
    lstm.matmul_dtype = torch.bfloat16
    for one, other in zip(unrolled(lstm, *given), wanted, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 2e-2 * other.norm()


def test_products_in_bfloat16_do_not_change_the_weights():
    lstm, given = Lstm(INPUTS, CELLS), sequence(3)
    lstm.matmul_dtype = torch.bfloat16
    before = [weight.detach().clone() for weight in lstm.parameters()]
    unrolled(lstm, *given)
    for weight, old in zip(lstm.parameters(), before, strict=True):
        torch.testing.assert_close(weight.detach(), old, rtol=0, atol=0)


@pytest.mark.parametrize("matmul_dtype", [torch.float32, torch.bfloat16])
def test_backward_can_run_twice(matmul_dtype):
    lstm, (inputs, is_first, state) = Lstm(INPUTS, CELLS), sequence(3)
    lstm.matmul_dtype = matmul_dtype
    outputs = lstm.unroll(inputs, is_first, STARTS, state)[0].sum()
    once, twice = (
        torch.autograd.grad(outputs, list(lstm.parameters()), retain_graph=True) for _ in range(2)
    )
    for one, other in zip(once, twice, strict=True):
        torch.testing.assert_close(one, other)


def test_values_are_the_same_without_gradients():
    lstm, given = Lstm(INPUTS, CELLS), sequence(5)
    wanted, *_ = unrolled(lstm, *given)
    inputs, is_first, state = given
    with torch.no_grad():
        found, _ = lstm.unroll(inputs, is_first, STARTS, state)
    torch.testing.assert_close(found, wanted.detach(), rtol=0, atol=0)


def test_blocks_of_games_do_not_change_the_result():
    lstm, (inputs, is_first, state) = Lstm(INPUTS, CELLS), sequence(2 * GAMES_PER_BLOCK + 1)
    for one, other in zip(
        unrolled(lstm, inputs, is_first, state), stepped(lstm, inputs, is_first, state), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_nan_stays_visible_and_in_its_own_game():
    lstm, (inputs, is_first, state) = Lstm(INPUTS, CELLS), sequence(3)
    with torch.no_grad():
        inputs[2, 1, 0] = float("nan")
        outputs, _ = lstm.unroll(inputs, is_first, [], state)
    assert not outputs[:2].isnan().any()
    assert outputs[2:, 1].isnan().all()
    assert not outputs[:, [0, 2]].isnan().any()


def test_reset_zeroes_the_state_where_an_episode_starts_and_only_there():
    state = LstmState(torch.ones(3, 2), torch.ones(3, 2))
    for part in state.reset(torch.tensor([False, True, False])):
        assert part.tolist() == [[1, 1], [0, 0], [1, 1]]
