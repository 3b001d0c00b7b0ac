import math
import subprocess
import sys

import pytest
from pydantic import ValidationError

from ssd_influence.settings import ExperimentSettings, NetworkSettings


@pytest.mark.parametrize(
    ("own_steps", "beta"), [(0, 0.0), (10, 0.155), (40, 0.62), (41, 0.62), (10**9, 0.62)]
)
def test_beta_grows_linearly_over_the_agent_s_own_steps_and_then_stays(own_steps, beta):
    settings = ExperimentSettings(influence="moa", beta=0.62, beta_ramp=40)
    assert settings.beta_at(own_steps) == pytest.approx(beta)


def test_without_a_ramp_beta_is_whole_from_the_start():
    assert ExperimentSettings(influence="moa", beta=0.62).beta_at(0) == 0.62


@pytest.mark.parametrize("moa", ["off", "auxiliary"])
def test_influence_cannot_be_rewarded_where_it_is_not_reckoned(moa):
    with pytest.raises(ValidationError, match=f'needs moa = "influence", not "{moa}"'):
        ExperimentSettings(moa=moa, beta=0.1)
    assert ExperimentSettings(moa=moa).beta_at(1000) == 0


def test_clipping_can_be_off():
    assert ExperimentSettings(influence_clip=math.inf).influence_clip == math.inf


@pytest.mark.parametrize(
    "wrong",
    [
        {"beta": -1},
        {"beta": math.nan},
        {"beta_ramp": -1},
        {"influence_clip": 0},
        {"influence_clip": math.nan},
        {"moa": "on"},
        {"divergence": "mse"},
        {"moa_weight": -1},
        {"alpha": math.inf},
        {"apples": 3},
    ],
)
def test_a_setting_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValidationError):
        ExperimentSettings.model_validate(wrong)


def test_a_layer_has_at_least_one_unit():
    with pytest.raises(ValidationError):
        NetworkSettings(hidden=0)


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        ExperimentSettings().alpha = 2  # type: ignore[misc]  # just what is forbidden


def test_settings_start_without_torch():
    program = "import sys, ssd_influence.settings; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
