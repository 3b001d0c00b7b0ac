"""One lane of games, as one agent plays it: recurrent state, open segment, pending reward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssd_actors.agent import Agent
from ssd_actors.intrinsic.transition import Transition
from ssd_actors.segment_builder import SegmentBuilder
from ssd_influence.inference.decision import Decision
from ssd_wire.dims import Dims
from ssd_wire.messages import LARGEST_FLOAT, Act, Timestep
from ssd_wire.weights import Weights


@dataclass(frozen=True, eq=False)
class _PendingReward:
    """An intrinsic reward that can be computed only when one more timestep has arrived."""

    segment: SegmentBuilder
    step: int
    transition: Transition


class Lane:
    """The state of agent k in one lane of games.

    Args:
        index: Which lane.
        agent: Used by this lane alone: an open segment keeps the weights it began with.
        dims: Of its segments.

    Attributes:
        tick: The last one acted in, −1 for none.
        env_incarnation: Of the environment it plays in, 0 for none.
        open_segment: The one being recorded; None before the first.
        begun_segments: How many it has begun.
        discarded_segments: Unfinished ones dropped because the environment server restarted.
    """

    def __init__(self, index: int, agent: Agent, dims: Dims) -> None:
        self.index = index
        self.agent = agent
        self.dims = dims
        self.begun_segments = 0
        self.discarded_segments = 0
        self.open_segment: SegmentBuilder | None = None
        self._full_segment: SegmentBuilder | None = None  # lacks only its last actions
        self.reset(env_incarnation=0)

    def reset(self, env_incarnation: int) -> None:
        """Start in an environment with an initial state; discard what another one's began."""
        unfinished = (self.open_segment, self._full_segment)
        self.discarded_segments += sum(segment is not None for segment in unfinished)
        self.env_incarnation = env_incarnation
        self.tick = -1
        self.open_segment = None
        self._full_segment = None
        self._state = self.agent.initial_state()
        self._social_reward = self.agent.make_social_reward()
        self._last_step: tuple[Timestep, Decision] | None = None
        self._pending_reward: _PendingReward | None = None

    @property
    def needs_segment(self) -> bool:
        """Whether the next step is the first of a new segment."""
        return self.open_segment is None or self.open_segment.is_full

    def complete_step(self, timestep: Timestep) -> SegmentBuilder | None:
        """Record what timestep t + 1 says about the steps before it.

        All agents act at the same instant, so the rewards of step t are known only when timestep
        t + 1 arrives. It also carries everyone's a_t. That completes the intrinsic reward of step
        t − 1, where it needs a_t, and a segment whose last step was t − 1.

        Returns:
            The segment that this completes, if any.
        """
        if self._pending_reward is not None:
            self._record_intrinsic_reward(self._pending_reward, timestep)
            self._pending_reward = None
        complete, self._full_segment = self._full_segment, None
        if complete is not None:
            complete.add_last_actions(timestep.actions)
        if self.open_segment is not None and self._last_step is not None:
            self._record_reward(self.open_segment, timestep)
            self._complete_transition(self.open_segment, *self._last_step, timestep)
        return complete

    def begin_segment(self, timestep: Timestep, weights: Weights) -> None:
        """Add the last view to the full segment, and begin the next with the newest weights."""
        agent = self.agent
        if self.open_segment is not None:
            self.open_segment.add_timestep(timestep)
            self._full_segment = self.open_segment
        newest = (weights.learner_incarnation, weights.version)
        if (agent.learner_incarnation, agent.weights_version) != newest:
            agent.load_weights(weights)
        self.begun_segments += 1
        self.open_segment = SegmentBuilder(
            self.dims, agent.learner_incarnation, agent.weights_version, self._state.flat()
        )

    def act(self, timestep: Timestep) -> Act:
        """Choose an action in every game at this timestep, and record it."""
        if self.open_segment is None:
            raise ValueError("no segment is open: begin one first")
        decision = self.agent.decide(timestep, self._state)
        self.open_segment.add_timestep(timestep)
        self.open_segment.add_decision(decision)
        self._last_step = timestep, decision
        self.tick = timestep.tick
        return self.agent.act_message(timestep, decision)

    def _record_reward(self, segment: SegmentBuilder, timestep: Timestep) -> None:
        segment.reward[segment.steps - 1] = timestep.reward
        rewards = timestep.all_rewards
        if self._social_reward is None or segment.shaped_reward is None or rewards is None:
            return
        shaped = self._social_reward.shape(rewards, timestep.is_first)
        segment.shaped_reward[segment.steps - 1] = np.clip(shaped, -LARGEST_FLOAT, LARGEST_FLOAT)

    def _complete_transition(
        self,
        segment: SegmentBuilder,
        timestep: Timestep,
        decision: Decision,
        next_timestep: Timestep,
    ) -> None:
        transition = self.agent.complete_transition(timestep, decision, next_timestep, self._state)
        intrinsic = self.agent.intrinsic
        if intrinsic is None:
            return
        pending = _PendingReward(segment, segment.steps - 1, transition)
        if intrinsic.needs_timestep_tp2:
            self._pending_reward = pending
        else:
            self._record_intrinsic_reward(pending, None)

    def _record_intrinsic_reward(
        self, pending: _PendingReward, timestep_tp2: Timestep | None
    ) -> None:
        reward = self.agent.intrinsic_reward(pending.transition, timestep_tp2)
        pending.segment.influence[pending.step] = reward
