import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ssd_influence.measures import influential_moments, influential_share

STEPS, GAMES, AGENTS = 7, 4, 3

# The last two are neighbours in float32, where a mean between them would be one of them.
influences = hnp.arrays(
    np.float32,
    (STEPS, GAMES, AGENTS),
    elements=st.integers(-8, 8) | st.sampled_from([2.0**25, 2.0**25 + 4]),
)


def test_moments_are_the_steps_with_at_least_the_agent_s_own_mean_influence():
    influence = np.array([[0, 5], [0, 7], [4, 5], [0, 7]])
    assert influential_moments(influence).T.tolist() == [[0, 0, 1, 0], [0, 1, 0, 1]]
    assert influential_share(influence).tolist() == [0.25, 0.5]


@settings(deadline=None)
@given(influences)
@example(
    np.where(np.arange(STEPS * GAMES * AGENTS) < AGENTS, 2.0**25 + 4, 2.0**25)
    .astype(np.float32)
    .reshape(STEPS, GAMES, AGENTS)
)
def test_the_mean_is_over_all_steps_of_all_games_of_one_agent(influence):
    moments = influential_moments(influence)
    for k in range(AGENTS):
        every = [float(influence[t, b, k]) for t in range(STEPS) for b in range(GAMES)]
        expected = [len(every) * c >= sum(every) for c in every]
        assert moments[..., k].ravel().tolist() == expected
        assert influential_share(influence)[k] == pytest.approx(sum(expected) / len(every))


@settings(deadline=None)
@given(st.floats(-10, 10), st.integers(1, 300))
def test_all_steps_are_moments_if_an_agent_s_influence_never_changes(same, steps):
    assert influential_moments(np.full((steps, AGENTS), same)).all()
    assert influential_share(np.full((steps, AGENTS), same)).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("influence", "message"),
    [
        (np.array([[0.0, np.nan]]), "wanted finite numbers"),
        (np.zeros((0, 4, 3)), "wanted finite numbers"),
        (np.zeros(5), r"wanted 3 axes, or 2 for one game, found shape \(5,\)"),
    ],
    ids=["not a number", "no steps", "no agents' axis"],
)
def test_invalid_influence_is_refused(influence, message):
    with pytest.raises(ValueError, match=message):
        influential_moments(influence)
