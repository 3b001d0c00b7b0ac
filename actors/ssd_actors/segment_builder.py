"""A segment while it is being lived."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssd_envs.spec import GameSpec
from ssd_influence.inference.decision import Decision
from ssd_influence.settings import ExperimentSettings
from ssd_wire.messages import Segment, Timestep
from ssd_wire.runfile import RunSettings


@dataclass(frozen=True)
class SegmentShape:
    """T steps of B games of N agents with W×W views, and S floats of recurrent state.

    Attributes:
        speaks: whether what is said is part of it.
        shaped: whether a reward that a scheme made of everyone's is.
    """

    steps: int
    games: int
    agents: int
    view: int
    state: int
    speaks: bool = False
    shaped: bool = False

    @classmethod
    def of(
        cls, run: RunSettings, spec: GameSpec, experiment: ExperimentSettings, state: int
    ) -> SegmentShape:
        """The shape of all segments of a run."""
        return cls(
            steps=run.segment,
            games=run.games,
            agents=spec.num_agents,
            view=spec.view,
            state=state,
            speaks=experiment.symbols > 0,
            shaped=experiment.reward != "own",
        )


class SegmentBuilder:
    """The arrays of one segment, filled in as its steps are lived; see `Segment` for their meaning.

    Args:
        shape: Their lengths.
        learner_incarnation, weights_version: The weights that act in it.
        state: [B, S] float32, recurrent state before its first step.

    Attributes:
        steps: Steps acted so far.
    """

    def __init__(
        self, shape: SegmentShape, learner_incarnation: int, weights_version: int, state: np.ndarray
    ) -> None:
        t, b, n, w = shape.steps, shape.games, shape.agents, shape.view
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
        self.symbols = np.zeros((t + 1, b, n), np.uint8) if shape.speaks else None
        self.symbol_log_prob = np.zeros((t, b), np.float32) if shape.speaks else None
        self.shaped_reward = np.zeros((t, b), np.float32) if shape.shaped else None

    @property
    def is_full(self) -> bool:
        """Whether all its steps have been acted."""
        return self.steps == len(self.reward)

    def see(self, seen: Timestep) -> None:
        """Write down the view of the step about to be acted, or the one after the last."""
        self.pixels[self.steps] = seen.pixels
        self.is_first[self.steps] = seen.is_first
        self.visible[self.steps] = seen.visible
        self.actions[self.steps] = seen.actions
        if self.symbols is not None and seen.symbols is not None:
            self.symbols[self.steps] = seen.symbols

    def act(self, decision: Decision) -> None:
        """Write down that the step seen last was acted, and how likely what was chosen had been."""
        self.log_prob[self.steps] = decision.act.log_prob
        if self.symbol_log_prob is not None and decision.symbol is not None:
            self.symbol_log_prob[self.steps] = decision.symbol.log_prob
        self.steps += 1

    def finish(self, epoch: int, seq: int, lane: int, last_actions: np.ndarray) -> Segment:
        """The segment, once a_T is known: [B, N] what everyone did after its last step."""
        self.actions[-1] = last_actions
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
