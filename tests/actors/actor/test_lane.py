"""What a lane writes where in a segment. The agent is fake: all its numbers are those of ticks."""

from dataclasses import replace

import numpy as np
import pytest

from ssd_actors.intrinsic import Intrinsic, Transition
from ssd_actors.lane import Lane
from ssd_influence.inference.decision import Decision, RecurrentState, Sample
from ssd_influence.settings import ExperimentSettings
from ssd_wire.dims import Dims
from ssd_wire.messages import Act, Timestep
from ssd_wire.weights import Weights

STEPS = 3
DIMS = Dims(T=STEPS, B=1, N=2, A=256, W=1, P=256, S=2)


class SumOfRewards:
    """A reward scheme: the sum of everyone's."""

    def shape(self, rewards, _is_first):
        return rewards.sum(1)


class CountingAgent:
    """An agent whose outputs name the tick that they belong to.

    Its log-probability at tick t is −t. Its recurrent state after tick t is t, the policy's as the
    MOA's. Its intrinsic reward of tick t is 100 + t. If that needs timestep t + 2, everyone's next
    action is added behind the point.
    """

    def __init__(self, needs_timestep_tp2=False, social_reward=None):
        self.intrinsic = Intrinsic(None, None, ExperimentSettings())
        self.intrinsic.needs_timestep_tp2 = needs_timestep_tp2
        self.social_reward = social_reward
        self.learner_incarnation, self.weights_version, self.loaded = 0, 0, []

    def load_weights(self, weights):
        self.learner_incarnation = weights.learner_incarnation
        self.weights_version = weights.version
        self.loaded.append((weights.learner_incarnation, weights.version))

    def initial_state(self):
        return RecurrentState(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))

    def make_social_reward(self):
        return self.social_reward

    def decide(self, timestep, state):
        state.policy[:] = timestep.tick
        action = np.full(1, timestep.tick, np.uint8)
        log_prob = np.full(1, -timestep.tick, np.float32)
        symbol = Sample(None, action + 1, log_prob / 2)
        return Decision(Sample(None, action, log_prob), symbol, None)

    def act_message(self, timestep, decision):
        ids = timestep.env_incarnation, timestep.lane, timestep.tick
        return Act(*ids, False, decision.action.choice)

    def complete_transition(self, timestep, decision, next_timestep, state):
        assert next_timestep.tick == timestep.tick + 1
        state.moa[:] = timestep.tick
        return Transition(timestep, decision, next_timestep)

    def intrinsic_reward(self, transition, timestep_tp2):
        assert timestep_tp2 is None or timestep_tp2.tick == transition.timestep.tick + 2
        behind = 0 if timestep_tp2 is None else timestep_tp2.actions[0, 1] / 100
        return np.full(1, 100 + transition.timestep.tick + behind, np.float32)


def timestep(tick, env=7, is_first=False):
    """The view of tick t is t, its reward 10 t; the actions of t − 1 are t − 1 and 50 + t − 1."""
    return Timestep(
        env_incarnation=env,
        lane=0,
        tick=tick,
        pixels=np.full((1, 1, 1), tick, np.uint8),
        is_first=np.full(1, is_first),
        reward=np.full(1, 10 * tick, np.float32),
        actions=np.array([[max(0, tick - 1), max(0, 49 + tick)]], np.uint8),
        visible=np.array([[True, tick % 2 == 1]]),
        symbols=np.array([[tick, tick + 10]], np.uint8),
        all_rewards=np.array([[10 * tick, 1]], np.float32),
    )


def weights(version, learner=1):
    return Weights(learner, version, 0, {})


def run(lane, ticks, versions=None, starts=(0,)):
    """Play these ticks; the segments completed, by the tick at which they were.

    Args:
        lane: The lane.
        ticks: Their numbers.
        versions: The newest weights' version at each tick, 1 if not given.
        starts: Ticks at which an episode starts.
    """
    segments = {}
    for tick in ticks:
        now = timestep(tick, is_first=tick in starts)
        if (segment := lane.complete_step(now)) is not None:
            segments[tick] = segment.build(epoch=1, seq=len(segments) + 1, lane=0)
        if lane.needs_segment:
            lane.begin_segment(now, weights((versions or {}).get(tick, 1)))
        lane.act(now)
    return segments


@pytest.fixture
def lane():
    return Lane(0, CountingAgent(), DIMS)


def flat(array):
    return array.reshape(len(array), -1)[:, -1].tolist()


def test_a_segment_is_complete_one_tick_after_its_last_view_when_its_last_actions_are_known(lane):
    assert list(run(lane, range(9))) == [4, 7]


def test_the_first_segment_holds_the_first_steps(lane):
    segment = run(lane, range(5))[4]
    assert flat(segment.pixels) == [0, 1, 2, 3]
    assert flat(segment.is_first) == [True, False, False, False]
    assert flat(segment.visible) == [False, True, False, True]
    assert flat(segment.actions) == [49, 50, 51, 52, 53]  # of ticks −1, 0, 1, 2, 3
    assert flat(segment.log_prob) == [0, -1, -2]
    assert flat(segment.reward) == [10, 20, 30]  # for the actions of 0, 1, 2
    assert flat(segment.influence) == [100, 101, 102]
    assert segment.state.tolist() == [[0, 0]]


def test_the_next_segment_begins_with_the_view_that_ended_the_one_before(lane):
    segment = run(lane, range(8))[7]
    assert flat(segment.pixels) == [3, 4, 5, 6]
    assert flat(segment.visible) == [True, False, True, False]
    assert flat(segment.actions) == [52, 53, 54, 55, 56]
    assert flat(segment.log_prob) == [-3, -4, -5]
    assert flat(segment.reward) == [40, 50, 60]
    assert flat(segment.influence) == [103, 104, 105]
    assert segment.state.tolist() == [[2, 2]]  # of the policy and of the MOA, after tick 2


def test_a_reward_that_needs_one_more_timestep_is_recorded_at_its_own_step():
    segments = run(Lane(0, CountingAgent(needs_timestep_tp2=True), DIMS), range(8))
    assert flat(segments[4].influence) == pytest.approx([100.51, 101.52, 102.53])
    assert flat(segments[7].influence) == pytest.approx([103.54, 104.55, 105.56])


def test_each_view_has_the_symbols_sent_before_it_and_each_step_its_symbol_s_log_probability():
    segments = run(Lane(0, CountingAgent(), replace(DIMS, V=256)), range(8))
    assert flat(segments[4].symbols) == [10, 11, 12, 13]  # of ticks −1, 0, 1, 2
    assert flat(segments[4].symbol_log_prob) == [0, -0.5, -1]
    assert flat(segments[7].symbols) == [13, 14, 15, 16]


def test_a_reward_scheme_s_reward_is_recorded_beside_the_agent_s_own():
    agent = CountingAgent(social_reward=SumOfRewards())
    segments = run(Lane(0, agent, replace(DIMS, R=2)), range(8))
    assert flat(segments[4].reward) == [10, 20, 30]
    assert flat(segments[4].shaped_reward) == [11, 21, 31]
    assert flat(segments[7].shaped_reward) == [41, 51, 61]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_reward_scheme_s_reward_is_clipped_to_what_a_segment_may_hold(sign):
    agent = CountingAgent(social_reward=SumOfRewards())
    agent.social_reward.shape = lambda rewards, _: sign * 1e6 * rewards.sum(1)
    segments = run(Lane(0, agent, replace(DIMS, R=2)), range(8))
    assert flat(segments[4].shaped_reward) == [sign * 1e6] * 3


def test_a_segment_has_no_arrays_for_what_the_run_does_not_use(lane):
    segment = run(lane, range(5))[4]
    assert (segment.symbols, segment.symbol_log_prob, segment.shaped_reward) == (None, None, None)


def test_an_agent_without_intrinsic_reward_has_no_influence():
    agent = CountingAgent()
    agent.intrinsic = None
    segment = run(Lane(0, agent, DIMS), range(5))[4]
    assert not segment.influence.any()


def test_an_episode_may_start_anywhere_in_a_segment(lane):
    segments = run(lane, range(8), starts=(2, 6))
    assert flat(segments[4].is_first) == [False, False, True, False]
    assert flat(segments[7].is_first) == [False, False, False, True]


def test_an_open_segment_keeps_the_weights_it_began_with(lane):
    newest = {tick: tick for tick in range(11)}
    segments = run(lane, range(11), newest)
    assert [segment.weights_version for segment in segments.values()] == [0, 3, 6]
    assert lane.agent.loaded == [(1, 0), (1, 3), (1, 6), (1, 9)]


def test_weights_that_are_no_newer_are_not_loaded_again(lane):
    run(lane, range(11), {0: 5, 3: 5, 6: 6, 9: 6})
    assert lane.agent.loaded == [(1, 5), (1, 6)]


def test_weights_of_another_learner_are_loaded_whatever_their_version(lane):
    lane.begin_segment(timestep(0), weights(5, learner=1))
    for tick in range(STEPS):
        lane.act(timestep(tick))
    lane.begin_segment(timestep(STEPS), weights(5, learner=2))
    assert lane.agent.loaded == [(1, 5), (2, 5)]


def test_an_actor_that_joins_in_mid_episode_starts_with_a_zero_state_and_no_first_view(lane):
    segment = run(lane, range(40, 45), starts=())[44]
    assert flat(segment.is_first) == [False] * 4
    assert flat(segment.pixels) == [40, 41, 42, 43]
    assert flat(segment.reward) == [410, 420, 430]
    assert segment.state.tolist() == [[0, 0]]


def test_acting_without_a_segment_is_an_error(lane):
    with pytest.raises(ValueError, match="no segment is open"):
        lane.act(timestep(0))


class TestReset:
    """For another environment incarnation: all that was begun is discarded, and counted."""

    @pytest.mark.parametrize(
        ("ticks", "discarded"),
        [(0, 0), (1, 1), (3, 1), (4, 2), (5, 1)],
        ids=[
            "nothing was begun",
            "one is open",
            "one is full",
            "one lacks its last actions, and one is open",
            "one was completed, and one is open",
        ],
    )
    def test_discards_unfinished_segments(self, lane, ticks, discarded):
        run(lane, range(ticks))
        lane.reset(env_incarnation=8)
        assert lane.discarded_segments == discarded
        assert lane.needs_segment

    def test_leaves_nothing_of_the_old_environment(self, lane):
        run(lane, range(5))
        lane.reset(env_incarnation=8)
        assert (lane.env_incarnation, lane.tick) == (8, -1)
        segment = run(lane, range(5))[4]
        assert flat(segment.reward) == [10, 20, 30]
        assert flat(segment.influence) == [100, 101, 102]
        assert segment.state.tolist() == [[0, 0]]
