"""What an intrinsic reward is, to a lane that earns it. Derive from this for one of your own.

A run file names it as `[experiment] influence = "package.module:Name"`. Its c is clipped to
± `influence_clip`, travels apart from the environment's reward, and the learner weighs it with β.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssd_actors.intrinsic.transition import Moment, Past
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.roles import Role
from ssd_influence.settings import ExperimentSettings
from ssd_wire.messages import Timestep

NO_GAMES = np.empty(0, np.int64)


class Intrinsic:
    """c of each step in one lane.

    Args:
        shape: Who the agent is.
        role: What it has to do with the others.
        experiment: The section of the run file.

    Attributes:
        waits: Whether c_t is known only with timestep t + 2; otherwise it is with t + 1.
    """

    waits = False

    def __init__(self, shape: AgentShape, role: Role, experiment: ExperimentSettings) -> None:
        self.shape = shape
        self.role = role
        self.experiment = experiment

    def asks_about(
        self,
        moment: Moment,  # noqa: ARG002 - for those who ask
        following: Timestep,  # noqa: ARG002 - the same
    ) -> NDArray[np.int64]:
        """In which games the MOA is asked what the others would do had the agent acted otherwise.

        Args:
            moment: step t.
            following: timestep t + 1.

        Returns:
            [R] long, ascending numbers of games; none unless overridden.
        """
        return NO_GAMES

    def reward(self, past: Past, after: Timestep | None) -> NDArray[np.float32]:
        """c_t, not clipped.

        Args:
            past: step t and timestep t + 1.
            after: timestep t + 2, which tells everyone's a_{t+1}, for a reward that waits for it;
                None otherwise.

        Returns:
            [B] float32.
        """
        raise NotImplementedError
