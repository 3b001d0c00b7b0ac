"""What groups of agents are measured by: earnings, equality, communication, coordination.

Arrays in, numbers out, with nothing but numpy. Trajectories are [T, B, N]: T steps of B games with
N agents, or [T, N] for a single game.
"""

from ssd_influence.measures.box import BoxOpening, box_opening
from ssd_influence.measures.consistency import speaker_consistency
from ssd_influence.measures.coordination import Coordination, instantaneous_coordination
from ssd_influence.measures.correlation import Correlation, influence_reward_correlation
from ssd_influence.measures.moments import influential_moments, influential_share
from ssd_influence.measures.returns import (
    collective_return,
    collective_times_equality,
    equality,
    gini,
)

__all__ = [
    "BoxOpening",
    "Coordination",
    "Correlation",
    "box_opening",
    "collective_return",
    "collective_times_equality",
    "equality",
    "gini",
    "influence_reward_correlation",
    "influential_moments",
    "influential_share",
    "instantaneous_coordination",
    "speaker_consistency",
]
