import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.measures import (
    collective_return,
    collective_times_equality,
    equality,
    gini,
)


@pytest.mark.parametrize(
    ("returns", "inequality"),
    [
        ([4, 4, 4], 0.0),
        ([1, 3], 0.25),  # (2 + 2) / (2 · 2 · 4)
        ([0, 0, 6], 2 / 3),  # 4 · 6 / (2 · 3 · 6), the most that three can differ
        ([1, 2, 3, 4], 0.25),  # 2 · (3·1 + 2·2 + 1·3) / (2 · 4 · 10)
        ([7], 0.0),
    ],
)
def test_equality_is_1_minus_gini_of_equation_9(returns, inequality):
    assert gini(returns) == pytest.approx(inequality)
    assert equality(returns) == pytest.approx(1 - inequality)
    assert equality(np.array(returns, np.float32)) == pytest.approx(1 - inequality)


@pytest.mark.parametrize(
    "returns",
    [[0, 0, 0], [-1, 5, 2], [-1, -2], [3, -3]],
    ids=["nothing earned", "one below zero", "all below zero", "they cancel"],
)
def test_equality_is_none_if_returns_are_negative_or_all_zero(returns):
    assert gini(returns) is None
    assert equality(returns) is None
    assert collective_times_equality(returns) is None


def test_the_collective_return_is_the_sum_over_agents_not_n_times_it():
    assert collective_return([1.5, -2, 10]) == 9.5


def test_the_measure_of_figure_16_is_the_collective_return_times_equality():
    assert collective_times_equality([1, 3]) == pytest.approx(4 * 0.75)


def gini_in_loops(returns) -> float:
    differences = 0.0
    for e_i in returns:
        for e_j in returns:
            differences += abs(e_i - e_j)
    return differences / (2 * len(returns) * sum(returns))


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=7).filter(lambda e: sum(e) > 1e-3))
def test_gini_is_equation_9_and_largest_if_one_agent_earns_all(returns):
    most = 1 - 1 / len(returns)
    assert gini(returns) == pytest.approx(gini_in_loops(returns))
    assert gini(returns) == pytest.approx(min(max(gini(returns), 0), most))
    assert gini([0.0] * (len(returns) - 1) + [sum(returns)]) == pytest.approx(most)


def test_equality_of_no_agents_is_none():
    assert equality([]) is None


def test_equality_refuses_several_episodes_at_once():
    with pytest.raises(ValueError, match=r"wanted those of one episode, \[N\], found .*\(4, 3\)"):
        equality(np.ones((4, 3)))
