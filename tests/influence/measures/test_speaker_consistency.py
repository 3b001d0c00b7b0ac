import math
from collections import Counter

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.measures import speaker_consistency

STEPS, GAMES, AGENTS, SYMBOLS, ACTIONS = 6, 4, 3, 5, 7

without_deadline = settings(deadline=None, max_examples=100)


def choices(num_values: int, steps: int = STEPS):
    """[T, B, N] uint8, as they come from the wire."""
    return hnp.arrays(np.uint8, (steps, GAMES, AGENTS), elements=st.integers(0, num_values - 1))


def speakers(num_agents: int, symbols: str, actions: str) -> tuple[np.ndarray, np.ndarray]:
    """The same symbols and actions, a digit a step, for each of the agents: [T, N] twice."""
    columns = [np.array([int(digit) for digit in digits]) for digits in (symbols, actions)]
    symbols, actions = (np.repeat(column[:, None], num_agents, axis=1) for column in columns)
    return symbols, actions


def entropy_in_loops(seen: list[int]) -> float:
    return -sum(n / len(seen) * math.log(n / len(seen)) for n in Counter(seen).values())


def certainty_in_loops(given_: list[int], then: list[int], num_then: int) -> float:
    certainties = []
    for value in sorted(set(given_)):
        came = [y for x, y in zip(given_, then, strict=True) if x == value]
        certainties.append(1 - entropy_in_loops(came) / math.log(num_then))
    return sum(certainties) / len(certainties)


def consistency_in_loops(symbols, actions) -> float:
    """Equation 8 with means for sums, in loops over agents, games and steps."""
    total = 0.0
    for k in range(AGENTS):
        m = [int(symbols[t, b, k]) for b in range(GAMES) for t in range(len(symbols))]
        a = [int(actions[t, b, k]) for b in range(GAMES) for t in range(len(symbols))]
        of_actions = certainty_in_loops(m, a, ACTIONS)
        of_symbols = certainty_in_loops(a, m, SYMBOLS)
        total += 0.5 * (of_actions + of_symbols)
    return total / AGENTS


@pytest.mark.parametrize(
    ("symbols", "actions", "consistency"),
    [
        ("010212", "343545", 1.0),
        ("000111", "333333", (1 + (1 - math.log(2) / math.log(5))) / 2),
        # Symbol 0 came with actions 3 and 4, symbol 1 with 4 alone; action 3 with 0, 4 with both.
        ("0011", "3444", ((0.5 + 0.5 * (1 - math.log(2) / math.log(7)))
            + 0.5 + 0.5 * (1 - (math.log(3) - 2 / 3 * math.log(2)) / math.log(5))) / 2),
    ],
    ids=["one to one", "one action for all symbols", "by hand"],
)  # fmt: skip
def test_consistency_is_how_close_symbols_and_actions_are_to_one_to_one(
    symbols, actions, consistency
):
    symbols, actions = speakers(AGENTS, symbols, actions)
    assert speaker_consistency(symbols, actions, SYMBOLS, ACTIONS) == pytest.approx(consistency)


@without_deadline
@given(choices(SYMBOLS), choices(ACTIONS))
def test_consistency_is_equation_8_averaged_over_agents_symbols_and_actions(symbols, actions):
    consistency = speaker_consistency(symbols, actions, SYMBOLS, ACTIONS)
    assert consistency == pytest.approx(consistency_in_loops(symbols, actions))


@without_deadline
@given(choices(2, steps=2), choices(3, steps=2))
def test_consistency_is_between_0_and_1(symbols, actions):
    assert 0 <= speaker_consistency(symbols, actions, 2, 3) <= 1


@pytest.mark.parametrize(("num_symbols", "num_actions"), [(5, 7), (2, 5)])
def test_consistency_is_0_and_not_below_if_all_symbols_and_actions_occur_equally_often(
    num_symbols, num_actions
):
    symbols, actions = np.divmod(np.arange(num_symbols * num_actions), num_actions)
    silent = speaker_consistency(symbols[:, None], actions[:, None], num_symbols, num_actions)
    assert 0 <= silent < 1e-12


def test_unused_symbols_and_actions_change_only_the_largest_possible_entropy():
    symbols, actions = speakers(2, "001122", "012012")
    of_three, of_nine = (speaker_consistency(symbols, actions, 3, n) for n in (3, 9))
    assert of_three == pytest.approx(((1 - math.log(2) / math.log(3)) * 2) / 2)
    assert of_nine == pytest.approx(
        ((1 - math.log(2) / math.log(9)) + (1 - math.log(2) / math.log(3))) / 2
    )


def test_each_agent_may_use_symbols_in_its_own_way():
    symbols = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [0, 1]])
    actions = np.array([[2, 2], [3, 3], [2, 2], [3, 3], [2, 2]])
    assert speaker_consistency(symbols, actions, SYMBOLS, ACTIONS) == pytest.approx(1)


def test_consistency_does_not_depend_on_the_number_of_equal_agents():
    alone, many = (
        speaker_consistency(*speakers(n, "0011201", "3444356"), SYMBOLS, ACTIONS) for n in (1, 4)
    )
    assert alone == pytest.approx(many)


def test_an_agent_that_always_takes_the_same_action_scores_a_half():
    rng = np.random.default_rng(1)
    symbols = rng.integers(0, SYMBOLS, (3000, 2, AGENTS))
    still = np.full_like(symbols, 4)
    assert speaker_consistency(symbols, still, SYMBOLS, ACTIONS) == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_integers_of_any_width_are_accepted(dtype):
    rng = np.random.default_rng(2)
    symbols, actions = rng.integers(0, 200, (2, 50, GAMES, AGENTS))
    converted = speaker_consistency(symbols.astype(dtype), actions.astype(dtype), 200, 201)
    assert converted == speaker_consistency(symbols, actions, 200, 201)


@pytest.mark.parametrize(
    ("symbols", "actions", "num_symbols", "message"),
    [
        (np.full((6, 3), 5), np.zeros((6, 3), int), 5, r"symbols: wanted values in 0…4, found 5…5"),
        (np.zeros((6, 3), int), np.full((6, 3), -1), 5, r"actions: wanted values in 0…6, found -1"),
        (np.zeros((6, 3), int), np.zeros((3, 6), int), 5, r"actions: wanted shape \(6, 1, 3\)"),
        (np.zeros((6, 3)), np.zeros((6, 3), int), 5, r"symbols: wanted some integers, found float"),
        (np.zeros((0, 3), int), np.zeros((0, 3), int), 5, r"symbols: wanted some integers"),
        (np.zeros(6, int), np.zeros(6, int), 5, r"symbols: wanted 3 axes, or 2 for one game"),
        (np.zeros((6, 3), int), np.zeros((6, 3), int), 1, r"at least 2 values, found 1"),
    ],
    ids=[
        "no such symbol",
        "no such action",
        "axes swapped",
        "floats",
        "nothing",
        "axis",
        "one symbol",
    ],
)
def test_invalid_symbols_and_actions_are_refused(symbols, actions, num_symbols, message):
    with pytest.raises(ValueError, match=message):
        speaker_consistency(symbols, actions, num_symbols, ACTIONS)
