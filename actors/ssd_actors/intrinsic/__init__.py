"""What an agent pays itself for what it did, by the name that the run file gives it."""

from __future__ import annotations

from ssd_actors.intrinsic.disclosed import BasicInfluence, CommunicationInfluence, UnderInfluence
from ssd_actors.intrinsic.moa import MoaCommunicationInfluence, MoaInfluence
from ssd_actors.intrinsic.reward import Intrinsic
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.plugins import load_class
from ssd_influence.roles import role_of
from ssd_influence.settings import ExperimentSettings

_OURS: dict[str, type[Intrinsic]] = {
    "basic": BasicInfluence,
    "communication": CommunicationInfluence,
    "moa": MoaInfluence,
    "moa_communication": MoaCommunicationInfluence,
}


def make_intrinsic(shape: AgentShape, experiment: ExperimentSettings) -> Intrinsic | None:
    """The intrinsic reward of this agent; None where it has none.

    Raises:
        ValueError: one of the user's own cannot be loaded, or is no intrinsic reward.
    """
    role = role_of(experiment, shape.agent, shape.num_agents)
    if role.receives_log_probs:
        return UnderInfluence(shape, role, experiment)
    if not role.is_rewarded:
        return None
    kind = _OURS.get(experiment.influence) or load_class(experiment.influence, Intrinsic)
    return kind(shape, role, experiment)
