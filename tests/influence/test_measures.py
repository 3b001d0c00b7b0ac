import numpy as np
import pytest

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
def test_equality_is_one_less_the_gini_of_equation_9(returns, inequality):
    assert gini(returns) == pytest.approx(inequality)
    assert equality(returns) == pytest.approx(1 - inequality)
    assert equality(np.array(returns, np.float32)) == pytest.approx(1 - inequality)


@pytest.mark.parametrize(
    "returns",
    [[0, 0, 0], [-1, 5, 2], [-1, -2], [3, -3]],
    ids=["nothing earned", "one below zero", "all below zero", "they cancel"],
)
def test_equality_is_undefined_and_said_to_be_when_returns_are_negative_or_nothing(returns):
    assert gini(returns) is None
    assert equality(returns) is None
    assert collective_times_equality(returns) is None


def test_collective_return_is_the_sum_over_agents_and_not_n_times_it():
    assert collective_return([1.5, -2, 10]) == 9.5


def test_figure_16_weighs_the_collective_return_by_equality():
    assert collective_times_equality([1, 3]) == pytest.approx(4 * 0.75)
