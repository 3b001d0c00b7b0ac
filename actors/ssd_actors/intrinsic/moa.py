"""Influence by one's own model of the others: of actions (§6), and of symbols."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Moment, Past
from ssd_influence.inference.decision import Sample
from ssd_influence.kernels.divergences import divergence_named
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.rewards.influence import influence_reward
from ssd_influence.roles import Role
from ssd_influence.settings import ExperimentSettings
from ssd_wire.messages import Timestep


class MoaInfluence(Intrinsic):
    """How far an action moved those in view, as the agent itself expects it."""

    def __init__(self, shape: AgentShape, role: Role, experiment: ExperimentSettings) -> None:
        super().__init__(shape, role, experiment)
        self.waits = divergence_named(experiment.divergence).needs_next_actions

    def counted(self, moment: Moment) -> NDArray[np.bool_]:
        """[B, J] the others who may have been influenced: those in view in s_t."""
        return np.take(moment.seen.visible, self.role.others, 1)

    def choice(self, moment: Moment) -> Sample:
        """What influence is of."""
        return moment.decision.action

    def asks_about(self, moment: Moment, following: Timestep) -> NDArray[np.int64]:
        """Where anybody counts, and the episode goes on: its last step has no t + 1 in it."""
        return np.flatnonzero(self.counted(moment).any(1) & ~following.first)

    def reward(self, past: Past, after: Timestep | None) -> NDArray[np.float32]:
        """0 in games that were not asked about."""
        if past.what_if is None:
            return np.zeros(len(past.next.first), np.float32)
        return influence_reward(
            past.what_if.logits,
            self.choice(past.moment),
            self.counted(past.moment),
            self.experiment.divergence,
            past.what_if.games,
            None if after is None else np.take(after.actions, self.role.others, 1),
        )


class MoaCommunicationInfluence(MoaInfluence):
    """How far a symbol moved everybody, as the agent itself expects it; nobody discloses anything.

    Symbols reach all, in view or not, so all count.
    """

    def counted(self, moment: Moment) -> NDArray[np.bool_]:
        """[B, J] all others."""
        return np.ones((len(moment.seen.first), len(self.role.others)), np.bool_)

    def choice(self, moment: Moment) -> Sample:
        """The symbol."""
        if moment.decision.symbol is None:
            raise ValueError("an agent that says nothing has no influence by what it says")
        return moment.decision.symbol
