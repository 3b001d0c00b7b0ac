"""Intrinsic rewards: what an agent earns beside the environment's reward.

`Intrinsic` and `Transition` are all that an intrinsic reward of your own needs.
"""

from __future__ import annotations

from ssd_actors.intrinsic.disclosed import BasicInfluence, CommunicationInfluence, UnderInfluence
from ssd_actors.intrinsic.moa import MoaCommunicationInfluence, MoaInfluence
from ssd_actors.intrinsic.reward import Intrinsic
from ssd_actors.intrinsic.transition import Counterfactuals, Transition
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.plugins import load_class
from ssd_influence.roles import role_of
from ssd_influence.settings import ExperimentSettings

__all__ = ["Counterfactuals", "Intrinsic", "Transition", "make_intrinsic"]

_BUILT_IN: dict[str, type[Intrinsic]] = {
    "basic": BasicInfluence,
    "communication": CommunicationInfluence,
    "moa": MoaInfluence,
    "moa_communication": MoaCommunicationInfluence,
}


def make_intrinsic(shape: AgentShape, experiment: ExperimentSettings) -> Intrinsic | None:
    """The intrinsic reward of this agent; None if it has none.

    Raises:
        ValueError: a class that the run file names cannot be loaded, or is no `Intrinsic`.
    """
    role = role_of(experiment, shape.agent, shape.num_agents)
    if role.receives_log_probs:
        return UnderInfluence(shape, role, experiment)
    if not role.is_rewarded:
        return None
    built_in = _BUILT_IN.get(experiment.influence)
    intrinsic = built_in or load_class(experiment.influence, Intrinsic)
    return intrinsic(shape, role, experiment)
