"""PPO's advantage estimators, by the names that `[learning] advantages` takes.

To add one: write its function in a file of this folder, add an entry to `ESTIMATORS`, and add its
name to `LearningSettings.advantages`.
"""

from __future__ import annotations

from collections.abc import Callable

from ssd_learner.settings import LearningSettings
from ssd_learner.targets.estimates import Estimates, Trajectories
from ssd_learner.targets.gae import gae
from ssd_learner.targets.vtrace import vtrace

Estimator = Callable[[Trajectories, LearningSettings], Estimates]


def _gae(of: Trajectories, learning: LearningSettings) -> Estimates:
    return gae(of.reward_t, of.discount_t, of.value_t, learning.gae_lambda)


def _vtrace(of: Trajectories, learning: LearningSettings) -> Estimates:
    clips = learning.rho_clip, learning.c_clip
    steps = of.log_ratio_t, of.reward_t, of.discount_t, of.value_t
    return vtrace(*steps, *clips, weighted=False)


ESTIMATORS: dict[str, Estimator] = {"gae": _gae, "vtrace": _vtrace}
