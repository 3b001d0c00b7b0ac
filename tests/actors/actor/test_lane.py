"""What is written where in a segment. The mind is played: all it says is the number of a tick."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ssd_actors.intrinsic.transition import Moment, Past
from ssd_actors.lane import Lane
from ssd_actors.segment_builder import SegmentShape
from ssd_influence.inference.decision import Choice, Decision, State
from ssd_wire.messages import Act, Timestep
from ssd_wire.weights import Weights

STEPS = 3
SHAPE = SegmentShape(steps=STEPS, games=1, agents=2, view=1, state=2)


class CountingMind:
    """Says the tick in all it says.

    Its log-probability at tick t is −t. Its recurrent state after tick t is t, the policy's as the
    MOA's. Its intrinsic reward of tick t is 100 + t; one that waits has everyone's next action
    behind the point. Socially, all that anybody earned is worth its sum.
    """

    def __init__(self, waits=False, social=False):
        self.intrinsic = SimpleNamespace(waits=waits)
        self.social = social
        self.learner_incarnation, self.version, self.taken = 0, 0, []

    def take(self, weights):
        self.learner_incarnation, self.version = weights.learner_incarnation, weights.version
        self.taken.append((weights.learner_incarnation, weights.version))

    def fresh_state(self):
        return State(np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32))

    def decide(self, seen, state):
        state.policy[:] = seen.tick
        action = np.full(1, seen.tick, np.uint8)
        log_prob = np.full(1, -seen.tick, np.float32)
        said = Choice(None, action + 1, log_prob / 2)
        return Moment(seen, Decision(Choice(None, action, log_prob), said, None))

    def act(self, moment):
        seen, decision = moment.seen, moment.decision
        return Act(seen.env_incarnation, seen.lane, seen.tick, decision.act.chosen)

    def recall(self, moment, following, state):
        assert following.tick == moment.seen.tick + 1
        state.moa[:] = moment.seen.tick
        return Past(moment, following, None)

    def reward(self, past, after):
        assert after is None or after.tick == past.next.tick + 1
        behind = 0 if after is None else after.actions[0, 1] / 100
        return np.full(1, 100 + past.moment.seen.tick + behind, np.float32)

    def fresh_social_reward(self):
        return (
            SimpleNamespace(shape=lambda rewards, _is_first: rewards.sum(1))
            if self.social
            else None
        )


def timestep(tick, world=7, is_first=False):
    """The view of tick t is t, its reward 10 t; the actions of t − 1 are t − 1 and 50 + t − 1."""
    return Timestep(
        env_incarnation=world,
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


def live(lane, ticks, versions=None, firsts=(0,)):
    """Live these ticks; the segments finished, by the tick at which they were."""
    finished = {}
    for tick in ticks:
        seen = timestep(tick, is_first=tick in firsts)
        if (done := lane.reckon(seen)) is not None:
            finished[tick] = done.draft.finish(1, len(finished) + 1, 0, done.last_actions)
        if lane.wants_segment:
            lane.begin_segment(seen, weights((versions or {}).get(tick, 1)))
        lane.act(seen)
    return finished


@pytest.fixture
def lane():
    return Lane(0, CountingMind(), SHAPE)


def flat(array):
    return array.reshape(len(array), -1)[:, -1].tolist()


def test_a_segment_is_finished_one_tick_after_its_last_view_when_its_last_actions_are_known(lane):
    assert list(live(lane, range(9))) == [4, 7]


def test_the_first_segment_holds_this(lane):
    segment = live(lane, range(5))[4]
    assert flat(segment.pixels) == [0, 1, 2, 3]
    assert flat(segment.is_first) == [True, False, False, False]
    assert flat(segment.visible) == [False, True, False, True]
    assert flat(segment.actions) == [49, 50, 51, 52, 53]  # of ticks −1, 0, 1, 2, 3
    assert flat(segment.log_prob) == [0, -1, -2]
    assert flat(segment.reward) == [10, 20, 30]  # for the actions of 0, 1, 2
    assert flat(segment.influence) == [100, 101, 102]
    assert segment.state.tolist() == [[0, 0]]


def test_the_next_segment_begins_with_the_view_that_ended_the_one_before(lane):
    segment = live(lane, range(8))[7]
    assert flat(segment.pixels) == [3, 4, 5, 6]
    assert flat(segment.visible) == [True, False, True, False]
    assert flat(segment.actions) == [52, 53, 54, 55, 56]
    assert flat(segment.log_prob) == [-3, -4, -5]
    assert flat(segment.reward) == [40, 50, 60]
    assert flat(segment.influence) == [103, 104, 105]
    assert segment.state.tolist() == [[2, 2]]  # of the policy and of the MOA, after tick 2


def test_a_reward_that_waits_for_one_more_timestep_is_credited_to_its_own_step():
    segments = live(Lane(0, CountingMind(waits=True), SHAPE), range(8))
    assert flat(segments[4].influence) == pytest.approx([100.51, 101.52, 102.53])
    assert flat(segments[7].influence) == pytest.approx([103.54, 104.55, 105.56])


def test_what_was_said_before_each_view_stands_beside_it_and_how_likely_one_s_own_was():
    segments = live(Lane(0, CountingMind(), replace(SHAPE, speaks=True)), range(8))
    assert flat(segments[4].symbols) == [10, 11, 12, 13]  # of ticks −1, 0, 1, 2
    assert flat(segments[4].symbol_log_prob) == [0, -0.5, -1]
    assert flat(segments[7].symbols) == [13, 14, 15, 16]


def test_what_a_reward_scheme_makes_of_everyone_s_stands_beside_one_s_own():
    segments = live(Lane(0, CountingMind(social=True), replace(SHAPE, shaped=True)), range(8))
    assert flat(segments[4].reward) == [10, 20, 30]
    assert flat(segments[4].shaped_reward) == [11, 21, 31]
    assert flat(segments[7].shaped_reward) == [41, 51, 61]


def test_a_segment_has_no_arrays_for_what_the_run_does_not_do(lane):
    segment = live(lane, range(5))[4]
    assert (segment.symbols, segment.symbol_log_prob, segment.shaped_reward) == (None, None, None)


def test_an_agent_without_intrinsic_reward_has_none():
    mind = CountingMind()
    mind.intrinsic = None
    segment = live(Lane(0, mind, SHAPE), range(5))[4]
    assert not segment.influence.any()


def test_an_episode_may_begin_anywhere_in_a_segment(lane):
    segments = live(lane, range(8), firsts=(2, 6))
    assert flat(segments[4].is_first) == [False, False, True, False]
    assert flat(segments[7].is_first) == [False, False, False, True]


def test_an_open_segment_keeps_the_weights_it_began_with(lane):
    newest = {tick: tick for tick in range(11)}
    segments = live(lane, range(11), newest)
    assert [segment.weights_version for segment in segments.values()] == [0, 3, 6]
    assert lane.mind.taken == [(1, 0), (1, 3), (1, 6), (1, 9)]


def test_weights_that_are_no_newer_are_not_taken_again(lane):
    live(lane, range(11), {0: 5, 3: 5, 6: 6, 9: 6})
    assert lane.mind.taken == [(1, 5), (1, 6)]


def test_weights_of_another_learner_are_taken_whatever_their_number(lane):
    lane.begin_segment(timestep(0), weights(5, learner=1))
    for tick in range(STEPS):
        lane.act(timestep(tick))
    lane.begin_segment(timestep(STEPS), weights(5, learner=2))
    assert lane.mind.taken == [(1, 5), (2, 5)]


def test_who_enters_in_mid_episode_begins_with_a_zero_state_and_a_view_that_is_not_the_first(lane):
    segment = live(lane, range(40, 45), firsts=())[44]
    assert flat(segment.is_first) == [False] * 4
    assert flat(segment.pixels) == [40, 41, 42, 43]
    assert flat(segment.reward) == [410, 420, 430]
    assert segment.state.tolist() == [[0, 0]]


def test_to_act_without_a_segment_is_an_error(lane):
    with pytest.raises(ValueError, match="no segment is open"):
        lane.act(timestep(0))


class TestANewWorld:
    """All that was begun in the old one is given up, and counted."""

    @pytest.mark.parametrize(
        ("ticks", "discarded"),
        [(0, 0), (1, 1), (3, 1), (4, 2), (5, 1)],
        ids=[
            "nothing was begun",
            "one is open",
            "one is full",
            "one lacks its last actions, and one is open",
            "one was finished, and one is open",
        ],
    )
    def test_discards_segments_that_are_not_finished(self, lane, ticks, discarded):
        live(lane, range(ticks))
        lane.enter(env_incarnation=8)
        assert lane.discarded == discarded
        assert lane.wants_segment

    def test_finds_a_lane_that_remembers_nothing(self, lane):
        live(lane, range(5))
        lane.enter(env_incarnation=8)
        assert (lane.env_incarnation, lane.tick) == (8, -1)
        segment = live(lane, range(5))[4]
        assert flat(segment.reward) == [10, 20, 30]
        assert flat(segment.influence) == [100, 101, 102]
        assert segment.state.tolist() == [[0, 0]]
