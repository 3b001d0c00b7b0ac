import math
from collections import Counter

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd_influence.measures import influential_moments, instantaneous_coordination

STEPS, GAMES, AGENTS, SYMBOLS, ACTIONS = 6, 4, 3, 5, 7

unhurried = settings(deadline=None, max_examples=100)


def chosen(num_values: int):
    """[T, B, N] uint8, as they come from the wire."""
    return hnp.arrays(np.uint8, (STEPS, GAMES, AGENTS), elements=st.integers(0, num_values - 1))


episodes = hnp.arrays(np.bool_, (STEPS, GAMES))
momentous = hnp.arrays(np.bool_, (STEPS, GAMES, AGENTS))


def coordination(said, actions, is_first=None, moments=None, shuffles=3, sizes=(SYMBOLS, ACTIONS)):
    """With a seed of its own, and by default one episode that never starts again."""
    rng = np.random.default_rng(9)
    if is_first is None:
        is_first = np.arange(len(said)) == 0
        is_first = (
            is_first if said.ndim == 2 else np.repeat(is_first[:, None], said.shape[1], axis=1)
        )
    return instantaneous_coordination(said, actions, is_first, *sizes, rng, moments, shuffles)


def drawn(steps: int, games: int, seed: int = 3, agents: int = AGENTS):
    """Symbols and actions that have nothing to do with one another: int64 [T, B, N] twice."""
    rng = np.random.default_rng(seed)
    symbols = rng.integers(0, SYMBOLS, (steps, games, agents))
    return symbols, rng.integers(0, ACTIONS, (steps, games, agents))


def information_literally(pairs: list[tuple[int, int]]) -> float:
    both, xs, ys = Counter(pairs), Counter(x for x, _ in pairs), Counter(y for _, y in pairs)
    n = len(pairs)
    return sum(
        count / n * math.log((count / n) / ((xs[x] / n) * (ys[y] / n)))
        for (x, y), count in both.items()
    )


def pairs_literally(said, actions, is_first, moments, k, j) -> list[tuple[int, int]]:
    return [
        (int(said[t, b, k]), int(actions[t + 1, b, j]))
        for b in range(GAMES)
        for t in range(STEPS - 1)
        if moments[t, b, k] and not is_first[t + 1, b]
    ]


@pytest.mark.parametrize("single", [True, False], ids=["[T, N]", "[T, B, N]"])
def test_coordination_is_what_a_symbol_tells_of_the_listeners_next_action(single):
    # Agent 1 does at t+1 what agent 0 says at t: 0 → 2, 1 → 6. Agent 0 itself always does 3.
    said = np.array([[0, 4], [1, 4], [0, 4], [1, 4], [1, 4]])
    did = np.array([[3, 5], [3, 2], [3, 6], [3, 2], [3, 6]])
    if not single:
        said, did = said[:, None], did[:, None]
    found = coordination(said, did)
    assert found.nats == pytest.approx(math.log(2))
    assert (found.speaker, found.listener, found.steps) == (0, 1, 4)


def test_information_by_hand():
    # Pairs (0, 2), (0, 2), (0, 6), (1, 6): I = ½ log 4/3 + ¼ log 2/3 + ¼ log 2.
    said = np.array([[0, 4], [0, 4], [0, 4], [1, 4], [0, 4]])
    did = np.array([[3, 5], [3, 2], [3, 2], [3, 6], [3, 6]])
    nats = 0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3) + 0.25 * math.log(2)
    assert coordination(said, did).nats == pytest.approx(nats)


@unhurried
@given(chosen(SYMBOLS), chosen(ACTIONS), episodes, momentous)
def test_coordination_is_the_most_information_between_any_two_agents(said, did, is_first, moments):
    expected = {}
    for k in range(AGENTS):
        for j in range(AGENTS):
            pairs = pairs_literally(said, did, is_first, moments, k, j)
            if k != j and pairs:
                expected[k, j] = information_literally(pairs), len(pairs)
    found = coordination(said, did, is_first, moments)
    if not expected:
        assert found is None
    else:
        nats, steps = expected[found.speaker, found.listener]
        assert found.nats == pytest.approx(max(nats for nats, _ in expected.values()), abs=1e-12)
        assert found.nats == pytest.approx(nats, abs=1e-12)
        assert found.steps == steps


@unhurried
@given(chosen(2), chosen(3), episodes)
def test_coordination_is_at_least_0_and_at_most_log_of_the_fewer_choices(said, did, is_first):
    found = coordination(said, did, is_first, sizes=(2, 3))
    if found is not None:
        for nats in (found.nats, found.shuffled):
            assert 0 <= nats <= math.log(2) + 1e-12


def test_action_coordination_is_of_the_actions_themselves():
    _, did = drawn(400, 2)
    did[1:, :, 2] = (did[:-1, :, 1] * 3) % ACTIONS  # agent 2 answers agent 1
    found = coordination(did, did, sizes=(ACTIONS, ACTIONS))
    assert (found.speaker, found.listener) == (1, 2)
    assert found.nats == pytest.approx(math.log(ACTIONS), abs=0.02)


def test_agents_that_act_alike_at_once_are_not_coordinated_over_steps():
    said, did = drawn(2000, 3)
    did[:, :, 1] = said[:, :, 0]  # in the same step, not the next
    found = coordination(said, did)
    assert found.nats < 0.02


def test_what_an_agent_tells_itself_is_not_coordination():
    said, did = drawn(2000, 3)
    did[1:, :, 1] = said[:-1, :, 1]
    assert coordination(said, did).nats < 0.02


def test_no_pair_of_steps_crosses_into_another_episode_or_game():
    said, did = drawn(3, 200)
    is_first = np.zeros((3, 200), bool)
    is_first[2] = True
    # What is said at 1 tells all of 2, but 2 is of the next episode; and 0 of the next game's 1.
    did[2, :, 1] = said[1, :, 0]
    did[1, 1:, 1] = said[0, :-1, 0]
    found = coordination(said, did, is_first)
    assert found.steps == 200
    assert found == pytest.approx(coordination(said[:2], did[:2], is_first[:2]))
    assert found.nats < 0.25 * math.log(SYMBOLS)
    assert coordination(said, did).nats > found.nats


def test_shuffled_control_shows_what_few_steps_alone_look_like():
    said, did = drawn(6, 4)
    few = coordination(said, did, shuffles=100)
    assert few.nats > 0.5
    assert few.shuffled == pytest.approx(few.nats, abs=0.2)


def test_shuffled_control_is_near_nothing_where_steps_are_many_and_agents_coordinate():
    said, did = drawn(3000, 2)
    did[1:, :, 1] = said[:-1, :, 0]
    found = coordination(said, did)
    assert found.nats == pytest.approx(math.log(SYMBOLS), abs=0.01)
    assert 0 < found.shuffled < 0.01


def test_shuffling_keeps_what_each_agent_does_how_often():
    said, did = drawn(40, 2)
    did[:] = 4  # whatever is said, nothing can be told of it
    found = coordination(said, did)
    assert (found.nats, found.shuffled) == (0, 0)


def test_the_control_is_the_best_pair_of_each_shuffle_and_not_the_mean_of_pairs():
    said, did = drawn(30, 1, agents=2)
    many_said, many_did = drawn(30, 1, agents=12)
    two, twelve = coordination(said, did, shuffles=50), coordination(many_said, many_did)
    assert twelve.shuffled > two.shuffled + 0.05


def test_on_influential_moments_only_the_speakers_own_moments_count():
    said, did = drawn(4000, 2)
    moved = np.random.default_rng(4).random((4000, 2)) < 0.05
    influence = np.zeros(said.shape)
    influence[..., 0] = np.where(moved, 1.0, 0.0)
    influence[..., 1:] = np.random.default_rng(5).random((4000, 2, 2))
    did[1:, :, 2] = np.where(moved[:-1], said[:-1, :, 0], did[1:, :, 2])  # listens only then
    seldom = coordination(said, did, moments=influential_moments(influence))
    always = coordination(said, did)
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
def test_coordination_is_undefined_and_said_to_be_without_a_pair_to_count(shape, is_first, moments):
    zeros = np.zeros(shape, int)
    starts, chosen_moments = np.full(shape[:2], is_first), np.full(shape, moments)
    assert coordination(zeros, zeros, starts, chosen_moments) is None


def test_an_agent_that_has_no_moments_leaves_the_others_pairs_as_they_are():
    said, did = drawn(50, 2)
    moments = np.ones(said.shape, bool)
    moments[..., 2] = False
    found = coordination(said, did, moments=moments)
    assert found.speaker != 2
    assert found.nats > 0


def test_constant_actions_and_symbols_tell_nothing():
    same = np.full((6, 4, 3), 1)
    found = coordination(same, same)
    assert (found.nats, found.shuffled) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"said": np.full((6, 4, 3), 5)}, r"said: wanted values in 0…4, found 5…5"),
        ({"actions": np.zeros((4, 6, 3), int)}, r"actions: wanted shape \(6, 4, 3\)"),
        ({"is_first": np.zeros((4, 6), bool)}, r"is_first: wanted shape \(6, 4\), found \(4, 6\)"),
        ({"is_first": np.zeros((6, 4), int)}, r"is_first: wanted bool, found int"),
        ({"moments": np.ones((6, 4, 3))}, r"moments: wanted bool, found float"),
        ({"moments": np.ones((6, 4, 2), bool)}, r"moments: wanted shape \(6, 4, 3\)"),
        ({"shuffles": 0}, r"shuffles: wanted at least 1, found 0"),
    ],
)
def test_what_cannot_be_trajectories_is_refused(changes, complaint):
    zeros = np.zeros((6, 4, 3), int)
    with pytest.raises(ValueError, match=complaint):
        coordination(**{"said": zeros, "actions": zeros} | changes)
