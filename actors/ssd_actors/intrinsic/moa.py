"""Influence as the agent's own model of the others predicts it: of actions (§6), and of symbols."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Transition
from ssd_influence.inference.decision import Sample
from ssd_influence.kernels.divergences import divergence_named
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.rewards.influence import influence_reward
from ssd_influence.roles import Role
from ssd_influence.settings import ExperimentSettings
from ssd_wire.messages import Timestep


class MoaInfluence(Intrinsic):
    """How far the agent's action changed what it expects the visible agents to do next."""

    def __init__(self, shape: AgentShape, role: Role, experiment: ExperimentSettings) -> None:
        super().__init__(shape, role, experiment)
        divergence = divergence_named(experiment.divergence)
        self.needs_timestep_tp2 = divergence.needs_next_actions

    def counted(self, transition: Transition) -> NDArray[np.bool_]:
        """[B, J] the other agents that count: those visible in s_t."""
        return np.take(transition.timestep.visible, self.role.others, 1)

    def choice(self, transition: Transition) -> Sample:
        """The choice whose influence is rewarded."""
        return transition.decision.action

    def counterfactual_games(self, transition: Transition) -> NDArray[np.int64]:
        """Where anybody counts and the episode goes on: its last step has no t + 1 in it."""
        goes_on = ~transition.next_timestep.is_first
        return np.flatnonzero(self.counted(transition).any(1) & goes_on)

    def reward(self, transition: Transition, timestep_tp2: Timestep | None) -> NDArray[np.float32]:
        """0 in games without counterfactuals."""
        counterfactuals = transition.counterfactuals
        if counterfactuals is None:
            return np.zeros(len(transition.next_timestep.is_first), np.float32)
        next_actions = None
        if timestep_tp2 is not None:
            next_actions = np.take(timestep_tp2.actions, self.role.others, 1)
        return influence_reward(
            counterfactuals.logits,
            self.choice(transition),
            self.counted(transition),
            self.experiment.divergence,
            counterfactuals.games,
            next_actions,
        )


class MoaCommunicationInfluence(MoaInfluence):
    """How far the agent's symbol changed what it expects the others to do next.

    Symbols reach all agents, visible or not, so all of them count. Nobody discloses anything.
    """

    def counted(self, transition: Transition) -> NDArray[np.bool_]:
        """[B, J] all other agents."""
        return np.ones((len(transition.timestep.is_first), len(self.role.others)), np.bool_)

    def choice(self, transition: Transition) -> Sample:
        """The symbol."""
        if transition.decision.symbol is None:
            raise ValueError("wanted an agent that sends symbols, found one that sends none")
        return transition.decision.symbol
