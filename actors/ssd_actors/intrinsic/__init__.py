"""What an agent pays itself for what it did, by the name that the run file gives it."""

from __future__ import annotations

from ssd_actors.intrinsic.disclosed import BasicInfluence, CommunicationInfluence, UnderInfluence
from ssd_actors.intrinsic.moa import MoaCommunicationInfluence, MoaInfluence
from ssd_actors.intrinsic.reward import Intrinsic
from ssd_influence.networks.agent_shape import AgentShape
from ssd_influence.plugins import own_class
from ssd_influence.roles import part_of
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
    part = part_of(experiment, shape.agent, shape.num_agents)
    if part.is_told_policies:
        return UnderInfluence(shape, part, experiment)
    if not part.rewarded:
        return None
    kind = _OURS.get(experiment.influence) or own_class(experiment.influence, Intrinsic)
    return kind(shape, part, experiment)
