import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.measures import influence_reward_correlation

SETTINGS, AGENTS = 7, 3

without_deadline = settings(deadline=None, max_examples=30)


def numbers():
    return hnp.arrays(np.float64, (SETTINGS, AGENTS), elements=st.integers(-20, 20))


def correlation(influenced, rewards, confidence=0.995):
    rng = np.random.default_rng(5)
    return influence_reward_correlation(influenced, rewards, rng, confidence)


def pearson_in_loops(influenced, rewards) -> float:
    pairs = [(influenced[s, k], rewards[s, k]) for s in range(SETTINGS) for k in range(AGENTS)]
    mean_x = sum(x for x, _ in pairs) / len(pairs)
    mean_y = sum(y for _, y in pairs) / len(pairs)
    covariance = sum((x - mean_x) * (y - mean_y) for x, y in pairs)
    spread = sum((x - mean_x) ** 2 for x, _ in pairs) * sum((y - mean_y) ** 2 for _, y in pairs)
    return covariance / math.sqrt(spread)


def draw(num_settings: int, rho: float, rng: np.random.Generator, shared: float = 0.0):
    """Influence and reward, correlated over all settings; `shared` by agents of a setting."""
    common, own = rng.normal(size=(2, num_settings, 1)), rng.normal(size=(2, num_settings, AGENTS))
    x, noise = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def test_correlation_by_hand():
    influenced = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    rewards = np.array([[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]])
    # About both means of 5/2: Σ xy = 4 · 15/4 − 2 · 1/4 = 29/2, and Σ x² = Σ y² = 35/2.
    assert correlation(influenced, rewards).rho == pytest.approx(29 / 35)


@without_deadline
@given(numbers(), numbers())
def test_correlation_is_pearson_s_over_all_agents_of_all_settings(influenced, rewards):
    found = correlation(influenced, rewards)
    if np.ptp(influenced) == 0 or np.ptp(rewards) == 0:
        assert found is None
    else:
        assert found.rho == pytest.approx(pearson_in_loops(influenced, rewards), abs=1e-9)
        assert -1 <= found.low <= found.high <= 1


@without_deadline
@given(st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_correlation_does_not_depend_on_units(scale, shift):
    influenced, rewards = draw(SETTINGS, 0.5, np.random.default_rng(6))
    same = correlation(scale * influenced + shift, rewards)
    assert same == pytest.approx(correlation(influenced, rewards), abs=1e-5)


def test_the_interval_is_symmetric():
    influenced, rewards = draw(SETTINGS, 0.5, np.random.default_rng(6))
    found, mirrored = correlation(influenced, rewards, 0.8), correlation(influenced, -rewards, 0.8)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("shared", [0.0, 1.0], ids=["agents differ", "agents of a setting alike"])
def test_the_interval_contains_the_true_correlation_about_as_often_as_it_should(shared):
    rng = np.random.default_rng(7)
    trials = 60
    held = 0
    for _ in range(trials):
        found = correlation(*draw(50, 0.6, rng, shared), confidence=0.9)
        held += found.low <= 0.6 <= found.high
    assert 0.75 * trials < held < trials


def test_more_confidence_gives_a_wider_interval():
    arrays = draw(40, 0.4, np.random.default_rng(8))
    narrow, wide = correlation(*arrays, confidence=0.5), correlation(*arrays, confidence=0.995)
    assert wide.low < narrow.low < narrow.rho < narrow.high < wide.high


@pytest.mark.parametrize(
    ("influenced", "rewards"),
    [
        (np.full((7, 3), 0.1), np.arange(21.0).reshape(7, 3)),
        (np.arange(21.0).reshape(7, 3), np.zeros((7, 3))),
        (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)),
        (np.zeros((7, 0)), np.zeros((7, 0))),
    ],
    ids=["nobody influenced more", "nobody earned more", "two settings", "no agents"],
)
def test_correlation_is_none_if_nothing_varies(influenced, rewards):
    assert correlation(influenced, rewards) is None


@pytest.mark.parametrize(
    ("influenced", "rewards", "confidence", "message"),
    [
        (np.zeros((7, 3)), np.zeros((3, 7)), 0.9, r"alike, found shapes \(7, 3\) and \(3, 7\)"),
        (np.zeros(7), np.zeros(7), 0.9, r"wanted two arrays \[S, N\]"),
        (np.full((7, 3), np.nan), np.zeros((7, 3)), 0.9, "wanted finite"),
        (np.zeros((7, 3)), np.zeros((7, 3)), 1.0, "confidence: wanted above 0 and below 1"),
    ],
)
def test_invalid_arguments_are_refused(influenced, rewards, confidence, message):
    with pytest.raises(ValueError, match=message):
        correlation(influenced, rewards, confidence)
