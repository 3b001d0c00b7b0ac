"""Building one segment, step by step."""

from __future__ import annotations

import numpy as np

from ssd_influence.inference.decision import Decision
from ssd_wire.dims import Dims
from ssd_wire.messages import Segment, Timestep


class SegmentBuilder:
    """The arrays of one segment, filled in step by step; `Segment` says what they mean.

    Args:
        dims: Their lengths.
        learner_incarnation, weights_version: The weights that act in it.
        state: [B, S] float32, recurrent state before its first step.

    Attributes:
        steps: Steps acted so far.
    """

    def __init__(
        self, dims: Dims, learner_incarnation: int, weights_version: int, state: np.ndarray
    ) -> None:
        t, b, n, w = dims.T, dims.B, dims.N, dims.W
        self.learner_incarnation = learner_incarnation
        self.weights_version = weights_version
        self.steps = 0
        self.pixels = np.zeros((t + 1, b, w, w), np.uint8)
        self.is_first = np.zeros((t + 1, b), np.bool_)
        self.visible = np.zeros((t + 1, b, n), np.bool_)
        self.actions = np.zeros((t + 2, b, n), np.uint8)
        self.log_prob = np.zeros((t, b), np.float32)
        self.reward = np.zeros((t, b), np.float32)
        self.influence = np.zeros((t, b), np.float32)
        self.state = state
        self.symbols = np.zeros((t + 1, b, n), np.uint8) if dims.V else None
        self.symbol_log_prob = np.zeros((t, b), np.float32) if dims.V else None
        self.shaped_reward = np.zeros((t, b), np.float32) if dims.R else None

    @property
    def is_full(self) -> bool:
        """Whether all its steps have been acted."""
        return self.steps == len(self.reward)

    def add_timestep(self, timestep: Timestep) -> None:
        """Record the view of the step about to be acted, or the one after the last step."""
        self.pixels[self.steps] = timestep.pixels
        self.is_first[self.steps] = timestep.is_first
        self.visible[self.steps] = timestep.visible
        self.actions[self.steps] = timestep.actions
        if self.symbols is not None and timestep.symbols is not None:
            self.symbols[self.steps] = timestep.symbols

    def add_decision(self, decision: Decision) -> None:
        """Record the log-probabilities of what was chosen, and go to the next step."""
        self.log_prob[self.steps] = decision.action.log_prob
        if self.symbol_log_prob is not None and decision.symbol is not None:
            self.symbol_log_prob[self.steps] = decision.symbol.log_prob
        self.steps += 1

    def add_last_actions(self, actions: np.ndarray) -> None:
        """Record a_T, [B, N]: what everyone did after the last step. The segment is complete."""
        self.actions[-1] = actions

    def build(self, epoch: int, seq: int, lane: int) -> Segment:
        """The message, once all of it is recorded."""
        return Segment(
            epoch=epoch,
            seq=seq,
            lane=lane,
            learner_incarnation=self.learner_incarnation,
            weights_version=self.weights_version,
            pixels=self.pixels,
            is_first=self.is_first,
            visible=self.visible,
            actions=self.actions,
            log_prob=self.log_prob,
            reward=self.reward,
            influence=self.influence,
            state=self.state,
            symbols=self.symbols,
            symbol_log_prob=self.symbol_log_prob,
            shaped_reward=self.shaped_reward,
        )
