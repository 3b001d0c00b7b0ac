"""Influence by one's own model of the others: of actions (§6), and of symbols."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Moment, Past
from ssd_influence.inference.decision import Choice
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.rewards.influence import influence
from ssd_influence.roles import Part
from ssd_influence.settings import ExperimentSettings
from ssd_wire.messages import Timestep


class MoaInfluence(Intrinsic):
    """How far an action moved those in view, as the agent itself expects it."""

    def __init__(self, shape: AgentShape, part: Part, experiment: ExperimentSettings) -> None:
        super().__init__(shape, part, experiment)
        self.waits = experiment.divergence == "pmi"

    def counted(self, moment: Moment) -> NDArray[np.bool_]:
        """[B, J] the others who may have been influenced: those in view in s_t."""
        return np.take(moment.seen.visible, self.part.others, 1)

    def choice(self, moment: Moment) -> Choice:
        """What influence is of."""
        return moment.decision.act

    def asks_about(self, moment: Moment, following: Timestep) -> NDArray[np.int64]:
        """Where anybody counts, and the episode goes on: its last step has no t + 1 in it."""
        return np.flatnonzero(self.counted(moment).any(1) & ~following.is_first)

    def reward(self, past: Past, after: Timestep | None) -> NDArray[np.float32]:
        """0 in games that were not asked about."""
        if past.what_if is None:
            return np.zeros(len(past.next.is_first), np.float32)
        return influence(
            past.what_if.logits,
            self.choice(past.moment),
            self.counted(past.moment),
            self.experiment.divergence,
            past.what_if.games,
            None if after is None else np.take(after.actions, self.part.others, 1),
        )


class MoaCommunicationInfluence(MoaInfluence):
    """How far a symbol moved everybody, as the agent itself expects it; nobody discloses anything.

    Symbols reach all, in view or not, so all count.
    """

    def counted(self, moment: Moment) -> NDArray[np.bool_]:
        """[B, J] all others."""
        return np.ones((len(moment.seen.is_first), len(self.part.others)), np.bool_)

    def choice(self, moment: Moment) -> Choice:
        """The symbol."""
        if moment.decision.symbol is None:
            raise ValueError("an agent that says nothing has no influence by what it says")
        return moment.decision.symbol
