"""Statistics of full episodes: sums of events, means of returns, and the metrics that show them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd_env_server.episode_statistics import LAST_EPISODES, EpisodeStatistics
from ssd_env_server.episodes import Episode
from ssd_env_server.metrics import EnvMetrics
from ssd_envs.spec import EVENTS
from ssd_influence.measures import equality

AGENTS, HORIZON = 2, 12
FULL = st.sampled_from([HORIZON, HORIZON, HORIZON - 1])
EPISODES = st.lists(
    st.tuples(FULL, st.lists(st.integers(-5, 9), min_size=2, max_size=2)), max_size=120
)


def episode(length=HORIZON, returns=(0.0, 0.0), counts=None):
    counts = np.zeros((AGENTS, len(EVENTS))) if counts is None else counts
    return Episode(0, 0, 0, 0, length, np.array(returns, np.float64), counts.astype(np.int64), 0)


@pytest.fixture
def statistics():
    return EpisodeStatistics(AGENTS, HORIZON, EVENTS)


@given(EPISODES)
def test_returns_and_equality_are_means_over_the_last_full_episodes(drawn):
    statistics = EpisodeStatistics(AGENTS, HORIZON, EVENTS)
    for length, returns in drawn:
        statistics.add([episode(length, returns)])
    full = [returns for length, returns in drawn if length == HORIZON]
    assert statistics.episodes == len(full)
    last = full[-LAST_EPISODES:]
    assert statistics.mean_return == pytest.approx(np.mean(last, axis=0) if last else ())
    defined = [share for one in last if (share := equality(one)) is not None]
    assert statistics.mean_equality == (pytest.approx(np.mean(defined)) if defined else None)


def test_events_are_summed_over_full_episodes(statistics):
    counts = np.arange(AGENTS * len(EVENTS)).reshape(AGENTS, len(EVENTS))
    statistics.add([episode(counts=counts), episode(HORIZON - 1, counts=counts)])
    statistics.add([episode(counts=counts)])
    assert statistics.counts["apples"] == [0, 2 * len(EVENTS)]
    assert statistics.counts["fires"] == [2, 2 * len(EVENTS) + 2]


def test_an_opened_box_counts_once_at_whichever_step(statistics):
    counts = np.zeros((AGENTS, len(EVENTS)))
    counts[1, EVENTS.index("opened_at")] = 7
    statistics.add([episode(counts=counts), episode()])
    assert statistics.counts["opened"] == [0, 1]


def test_only_events_of_the_game_are_counted():
    assert set(EpisodeStatistics(AGENTS, HORIZON, ("apples",)).counts) == {"apples"}


def test_what_happened_to_each_agent_is_served(make_env):
    env = make_env().with_all_joined()
    served = {metric.name: metric.samples for metric in EnvMetrics(env.server).collect()}
    assert "ssd_env_episode_return" not in served  # nothing has ended
    env.server.statistics.add([episode(12, (-1.0, 3.0, 4.0), np.ones((3, len(EVENTS))))])
    served = {metric.name: metric.samples for metric in EnvMetrics(env.server).collect()}
    returns = {sample.labels["agent"]: sample.value for sample in served["ssd_env_episode_return"]}
    assert returns == {"0": -1, "1": 3, "2": 4}
    apples = [s.value for s in served["ssd_env_events"] if s.labels["event"] == "apples"]
    assert apples == [1, 1, 1]


def test_every_episode_that_ends_is_counted_by_the_server(env):
    for tick in range(HORIZON):
        env.everyone_acts(tick)
    assert env.server.statistics.episodes == 1  # one game began at step 0, the other later
    assert len(env.server.statistics.mean_return) == env.agents
