"""Measures of groups of agents: returns, equality, communication, coordination. Numpy only.

Trajectories are [T, B, N]: T steps of B games with N agents, or [T, N] for a single game.
"""

from ssd_influence.measures.box_opening import BoxOpening, box_opening
from ssd_influence.measures.influence_reward_correlation import (
    Correlation,
    influence_reward_correlation,
)
from ssd_influence.measures.influential_moments import influential_moments, influential_share
from ssd_influence.measures.instantaneous_coordination import (
    Coordination,
    instantaneous_coordination,
)
from ssd_influence.measures.returns import (
    collective_return,
    collective_times_equality,
    equality,
    gini,
)
from ssd_influence.measures.speaker_consistency import speaker_consistency

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
