"""PPO's advantage estimators: the table, the settings that name its entries, and each entry."""

from typing import get_args

import numpy as np
import pytest
import torch
from tests.learner import literal

from ssd_learner.settings import LearningSettings
from ssd_learner.targets.advantages import ESTIMATORS
from ssd_learner.targets.estimates import Trajectories

STEPS, GAMES = 7, 4


@pytest.fixture(params=range(3))
def table(request):
    """Rewards, ends of episodes, values and log π/μ in float64."""
    rng = np.random.default_rng(request.param)
    return (
        rng.normal(0, 1.0, (STEPS, GAMES)),
        rng.random((STEPS, GAMES)) < 0.2,
        rng.normal(0, 2.0, (STEPS + 1, GAMES)),
        rng.normal(0, 1.0, (STEPS, GAMES)),
    )


def estimate(table, learning):
    reward, ended, value, log_ratio = table
    trajectories = Trajectories(
        reward_t=torch.from_numpy(reward),
        discount_t=torch.from_numpy(np.where(ended, 0.0, learning.gamma)),
        value_t=torch.from_numpy(value),
        log_ratio_t=torch.from_numpy(log_ratio),
    )
    return ESTIMATORS[learning.advantages](trajectories, learning)


def test_the_settings_name_every_estimator_and_no_other():
    names = get_args(LearningSettings.model_fields["advantages"].annotation)
    assert sorted(names) == sorted(ESTIMATORS)


def test_the_default_is_gae():
    assert LearningSettings().advantages == "gae"


@pytest.mark.parametrize(
    "settings",
    [{"gae_lambda": 1.0}, {"gae_lambda": 0.8}, {"rho_clip": 1.5, "c_clip": 0.7}],
    ids=["lambda 1", "lambda 0.8", "other clips"],
)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_estimator_equals_its_definition_in_loops(table, name, settings):
    learning = LearningSettings(advantages=name, gamma=0.9, **settings)
    estimates = estimate(table, learning)
    advantages, targets = literal.estimates(*table, learning)
    assert estimates.advantage.numpy() == pytest.approx(advantages, abs=1e-9)
    assert estimates.target.numpy() == pytest.approx(targets, abs=1e-9)
    assert estimates.error.numpy() == pytest.approx(targets - table[2][:-1], abs=1e-9)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_on_policy_with_lambda_1_all_estimators_agree(table, name):
    on_policy = (*table[:3], np.zeros((STEPS, GAMES)))
    found = estimate(on_policy, LearningSettings(advantages=name, gae_lambda=1.0))
    wanted = estimate(on_policy, LearningSettings(advantages="gae", gae_lambda=1.0))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
