import math
from collections import Counter

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.measures import influential_moments, instantaneous_coordination

STEPS, GAMES, AGENTS, SYMBOLS, ACTIONS = 6, 4, 3, 5, 7

without_deadline = settings(deadline=None, max_examples=100)


def choices(num_values: int):
    """[T, B, N] uint8, as they come from the wire."""
    return hnp.arrays(np.uint8, (STEPS, GAMES, AGENTS), elements=st.integers(0, num_values - 1))


episode_starts = hnp.arrays(np.bool_, (STEPS, GAMES))
moment_flags = hnp.arrays(np.bool_, (STEPS, GAMES, AGENTS))


def coordination(
    signals, actions, is_first=None, moments=None, shuffles=3, sizes=(SYMBOLS, ACTIONS)
):
    """With a fixed seed, and by default one single episode."""
    rng = np.random.default_rng(9)
    if is_first is None:
        is_first = np.arange(len(signals)) == 0
        if signals.ndim == 3:
            is_first = np.repeat(is_first[:, None], signals.shape[1], axis=1)
    return instantaneous_coordination(signals, actions, is_first, *sizes, rng, moments, shuffles)


def draw(steps: int, games: int, seed: int = 3, agents: int = AGENTS):
    """Independent symbols and actions: int64 [T, B, N] twice."""
    rng = np.random.default_rng(seed)
    symbols = rng.integers(0, SYMBOLS, (steps, games, agents))
    return symbols, rng.integers(0, ACTIONS, (steps, games, agents))


def information_in_loops(pairs: list[tuple[int, int]]) -> float:
    both, xs, ys = Counter(pairs), Counter(x for x, _ in pairs), Counter(y for _, y in pairs)
    n = len(pairs)
    return sum(
        count / n * math.log((count / n) / ((xs[x] / n) * (ys[y] / n)))
        for (x, y), count in both.items()
    )


def pairs_in_loops(signals, actions, is_first, moments, k, j) -> list[tuple[int, int]]:
    return [
        (int(signals[t, b, k]), int(actions[t + 1, b, j]))
        for b in range(GAMES)
        for t in range(STEPS - 1)
        if moments[t, b, k] and not is_first[t + 1, b]
    ]


@pytest.mark.parametrize("single", [True, False], ids=["[T, N]", "[T, B, N]"])
def test_coordination_is_the_information_of_a_symbol_about_the_listener_s_next_action(single):
    # Agent 1 does at t+1 what agent 0 says at t: 0 → 2, 1 → 6. Agent 0 itself always does 3.
    signals = np.array([[0, 4], [1, 4], [0, 4], [1, 4], [1, 4]])
    actions = np.array([[3, 5], [3, 2], [3, 6], [3, 2], [3, 6]])
    if not single:
        signals, actions = signals[:, None], actions[:, None]
    found = coordination(signals, actions)
    assert found.nats == pytest.approx(math.log(2))
    assert (found.speaker, found.listener, found.steps) == (0, 1, 4)


def test_information_by_hand():
    # Pairs (0, 2), (0, 2), (0, 6), (1, 6): I = ½ log 4/3 + ¼ log 2/3 + ¼ log 2.
    signals = np.array([[0, 4], [0, 4], [0, 4], [1, 4], [0, 4]])
    actions = np.array([[3, 5], [3, 2], [3, 2], [3, 6], [3, 6]])
    nats = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3) + 0.25 * math.log(2)
    assert coordination(signals, actions).nats == pytest.approx(nats)


@without_deadline
@given(choices(SYMBOLS), choices(ACTIONS), episode_starts, moment_flags)
def test_coordination_is_the_largest_information_between_two_agents(
    signals, actions, is_first, moments
):
    expected = {}
    for k in range(AGENTS):
        for j in range(AGENTS):
            pairs = pairs_in_loops(signals, actions, is_first, moments, k, j)
            if k != j and pairs:
                expected[k, j] = information_in_loops(pairs), len(pairs)
    found = coordination(signals, actions, is_first, moments)
    if not expected:
        assert found is None
    else:
        nats, steps = expected[found.speaker, found.listener]
        assert found.nats == pytest.approx(max(nats for nats, _ in expected.values()), abs=1e-12)
        assert found.nats == pytest.approx(nats, abs=1e-12)
        assert found.steps == steps


@without_deadline
@given(choices(2), choices(3), episode_starts)
def test_coordination_is_at_least_0_and_at_most_log_of_the_smaller_number_of_values(
    signals, actions, is_first
):
    found = coordination(signals, actions, is_first, sizes=(2, 3))
    if found is not None:
        for nats in (found.nats, found.shuffled):
            assert 0 <= nats <= math.log(2) + 1e-12


def test_signals_may_be_the_actions_themselves():
    _, actions = draw(400, 2)
    actions[1:, :, 2] = (actions[:-1, :, 1] * 3) % ACTIONS  # agent 2 reacts to agent 1
    found = coordination(actions, actions, sizes=(ACTIONS, ACTIONS))
    assert (found.speaker, found.listener) == (1, 2)
    assert found.nats == pytest.approx(math.log(ACTIONS), abs=0.02)


def test_acting_alike_in_the_same_step_is_no_coordination():
    signals, actions = draw(2000, 3)
    actions[:, :, 1] = signals[:, :, 0]  # in the same step, not the next
    found = coordination(signals, actions)
    assert found.nats < 0.02


def test_an_agent_s_information_about_itself_is_no_coordination():
    signals, actions = draw(2000, 3)
    actions[1:, :, 1] = signals[:-1, :, 1]
    assert coordination(signals, actions).nats < 0.02


def test_no_pair_of_steps_crosses_into_another_episode_or_game():
    signals, actions = draw(3, 200)
    is_first = np.zeros((3, 200), bool)
    is_first[2] = True
    # The signal at 1 equals the action at 2, but 2 is in the next episode; and that at 0 equals the
    # action at 1 of the next game.
    actions[2, :, 1] = signals[1, :, 0]
    actions[1, 1:, 1] = signals[0, :-1, 0]
    found = coordination(signals, actions, is_first)
    assert found.steps == 200
    assert found == pytest.approx(coordination(signals[:2], actions[:2], is_first[:2]))
    assert found.nats < 0.25 * math.log(SYMBOLS)
    assert coordination(signals, actions).nats > found.nats


def test_the_control_shows_the_bias_of_few_steps():
    signals, actions = draw(6, 4)
    few = coordination(signals, actions, shuffles=100)
    assert few.nats > 0.5
    assert few.shuffled == pytest.approx(few.nats, abs=0.2)


def test_the_control_is_near_0_for_many_steps_of_coordinated_agents():
    signals, actions = draw(3000, 2)
    actions[1:, :, 1] = signals[:-1, :, 0]
    found = coordination(signals, actions)
    assert found.nats == pytest.approx(math.log(SYMBOLS), abs=0.01)
    assert 0 < found.shuffled < 0.01


def test_shuffling_keeps_the_frequencies():
    signals, actions = draw(40, 2)
    actions[:] = 4  # so the signals carry no information
    found = coordination(signals, actions)
    assert (found.nats, found.shuffled) == (0, 0)


def test_the_control_takes_the_best_pair_of_each_shuffle_not_the_mean_of_pairs():
    signals, actions = draw(30, 1, agents=2)
    many_signals, many_actions = draw(30, 1, agents=12)
    two, twelve = (
        coordination(signals, actions, shuffles=50),
        coordination(many_signals, many_actions),
    )
    assert twelve.shuffled > two.shuffled + 0.05


def test_with_moments_only_the_speaker_s_own_moments_count():
    signals, actions = draw(4000, 2)
    moved = np.random.default_rng(4).random((4000, 2)) < 0.05
    influence = np.zeros(signals.shape)
    influence[..., 0] = np.where(moved, 1.0, 0.0)
    influence[..., 1:] = np.random.default_rng(5).random((4000, 2, 2))
    actions[1:, :, 2] = np.where(
        moved[:-1], signals[:-1, :, 0], actions[1:, :, 2]
    )  # agent 2 copies agent 0 at these steps only
    seldom = coordination(signals, actions, moments=influential_moments(influence))
    always = coordination(signals, actions)
    assert (seldom.speaker, seldom.listener) == (0, 2)
    assert seldom.steps == moved[:-1].sum()
    assert seldom.nats > 0.9 * math.log(SYMBOLS) > 10 * always.nats
    assert seldom.shuffled > 3 * always.shuffled  # fewer steps, more chance


@pytest.mark.parametrize(
    ("shape", "is_first", "moments"),
    [
        ((6, 4, 1), False, True),
        ((6, 4, 3), True, True),
        ((1, 4, 3), False, True),
        ((6, 4, 3), False, False),
    ],
    ids=["an agent alone", "episodes of one step", "one step", "no moments"],
)
def test_coordination_is_none_without_a_pair_of_steps(shape, is_first, moments):
    zeros = np.zeros(shape, int)
    starts, chosen_moments = np.full(shape[:2], is_first), np.full(shape, moments)
    assert coordination(zeros, zeros, starts, chosen_moments) is None


def test_an_agent_without_moments_does_not_affect_the_others():
    signals, actions = draw(50, 2)
    moments = np.ones(signals.shape, bool)
    moments[..., 2] = False
    found = coordination(signals, actions, moments=moments)
    assert found.speaker != 2
    assert found.nats > 0


def test_constant_actions_and_symbols_have_no_information():
    same = np.full((6, 4, 3), 1)
    found = coordination(same, same)
    assert (found.nats, found.shuffled) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signals": np.full((6, 4, 3), 5)}, r"signals: wanted values in 0…4, found 5…5"),
        ({"actions": np.zeros((4, 6, 3), int)}, r"actions: wanted shape \(6, 4, 3\)"),
        ({"is_first": np.zeros((4, 6), bool)}, r"is_first: wanted shape \(6, 4\), found \(4, 6\)"),
        ({"is_first": np.zeros((6, 4), int)}, r"is_first: wanted bool, found int"),
        ({"moments": np.ones((6, 4, 3))}, r"moments: wanted bool, found float"),
        ({"moments": np.ones((6, 4, 2), bool)}, r"moments: wanted shape \(6, 4, 3\)"),
        ({"shuffles": 0}, r"shuffles: wanted at least 1, found 0"),
    ],
)
def test_invalid_trajectories_are_refused(changes, message):
    zeros = np.zeros((6, 4, 3), int)
    with pytest.raises(ValueError, match=message):
        coordination(**{"signals": zeros, "actions": zeros} | changes)
