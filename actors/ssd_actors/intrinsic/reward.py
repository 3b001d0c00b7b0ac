"""The interface of intrinsic rewards. Derive from `Intrinsic` to write your own.

A run file names it as `[experiment] influence = "package.module:Name"`. Its reward is clipped to
± `influence_clip` and sent apart from the environment's reward; the learner weighs it with β.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.transition import Transition
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.roles import Role
from ssd_influence.settings import ExperimentSettings
from ssd_wire.messages import Timestep

NO_GAMES = np.empty(0, np.int64)


class Intrinsic:
    """The intrinsic reward c_t of one agent.

    Args:
        shape: Which agent it is, and its numbers of agents, actions and cells.
        role: Which agents it influences, follows, and exchanges information with.
        experiment: The section of the run file.

    Attributes:
        needs_timestep_tp2: Whether c_t can be computed only when timestep t + 2 has arrived, with
            everyone's a_{t+1}. Otherwise it is computed when timestep t + 1 has arrived.
    """

    needs_timestep_tp2 = False

    def __init__(self, shape: AgentShape, role: Role, experiment: ExperimentSettings) -> None:
        self.shape = shape
        self.role = role
        self.experiment = experiment

    def counterfactual_games(
        self,
        transition: Transition,  # noqa: ARG002 - for subclasses
    ) -> NDArray[np.int64]:
        """In which games to ask the MOA what the others would do, had this agent chosen otherwise.

        Args:
            transition: step t and timestep t + 1, without counterfactuals yet.

        Returns:
            int64 [R], game numbers in ascending order; none unless overridden.
        """
        return NO_GAMES

    def reward(self, transition: Transition, timestep_tp2: Timestep | None) -> NDArray[np.float32]:
        """c_t, not clipped.

        Args:
            transition: step t and timestep t + 1, with counterfactuals if they were asked for.
            timestep_tp2: timestep t + 2, which carries everyone's a_{t+1}; None unless
                `needs_timestep_tp2`.

        Returns:
            float32 [B].
        """
        raise NotImplementedError
