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
        {"influence": "on"},
        {"influence": "mine"},
        {"influence": "my module:Reward"},
        {"roles": ("leader", "influencee")},
        {"leaders": -1},
        {"symbols": 256},
        {"symbols": -1},
        {"communication_weight": -1},
        {"reward": "selfish"},
        {"smoothing": 1},
        {"smoothing": -0.1},
        {"prosocial_eta": math.nan},
        {"disadvantageous": math.inf},
        {"advantageous": math.nan},
        {"divergence": "mse"},
        {"moa_weight": -1},
        {"alpha": math.inf},
        {"apples": 3},
    ],
)
def test_a_setting_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValidationError):
        ExperimentSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("wrong", "objection"),
    [
        ({"beta": 0.1}, 'beta = 0.1 weighs an influence reward: influence = "off" has none'),
        ({"influence": "basic"}, "needs leaders, or roles"),
        ({"influence": "basic", "leaders": 1, "roles": ("influencer",)}, "say the same twice"),
        ({"influence": "moa", "leaders": 2}, 'leaders = 2: with influence = "moa" nobody acts'),
        ({"influence": "moa", "influencee_reward": True}, 'needs influence = "basic", not "moa"'),
        ({"influence": "communication"}, "is of symbols: it needs symbols of at least 2"),
        ({"influence": "moa_communication"}, "is of symbols: it needs symbols of at least 2"),
        ({"symbols": 1}, "symbols = 1 says nothing"),
    ],
)
def test_switches_that_do_not_fit_together_are_refused_and_why(wrong, objection):
    with pytest.raises(ValidationError, match=objection):
        ExperimentSettings.model_validate(wrong)


@pytest.mark.parametrize(
    "experiment",
    [
        {"influence": "basic", "leaders": 1, "beta": 0.1, "influencee_reward": True},
        {"influence": "basic", "roles": ("influencee", "influencer"), "beta": 0.1},
        {"influence": "off", "leaders": 3},
        {"influence": "off", "symbols": 9},
        {"influence": "communication", "symbols": 9, "beta": 2.7, "alpha": 0},
        {"influence": "moa", "symbols": 9, "beta": 2.7},
        {"influence": "moa_communication", "symbols": 2, "roles": ("plain", "influencer")},
        {"influence": "my.package:Curiosity", "beta": 1.0},
        {"moa_auxiliary": True, "reward": "inequity_averse"},
    ],
)
def test_switches_that_fit_together_are_taken(experiment):
    settings = ExperimentSettings.model_validate(experiment)
    assert settings.model_dump(include=set(experiment)) == experiment


@pytest.mark.parametrize("moa_auxiliary", [False, True])
@pytest.mark.parametrize(
    ("influence", "needs"),
    [
        ("off", False),
        ("basic", False),
        ("communication", False),
        ("moa", True),
        ("moa_communication", True),
        ("my.package:Curiosity", False),
    ],
)
def test_agents_model_each_other_where_their_reward_needs_it_or_it_is_asked_for(
    influence, needs, moa_auxiliary
):
    leaders = int(influence == "basic")
    settings = ExperimentSettings(
        influence=influence, moa_auxiliary=moa_auxiliary, leaders=leaders, symbols=5
    )
    assert settings.has_moa == (needs or moa_auxiliary)
    assert settings.influence_of_symbols == influence.endswith("communication")


def test_a_layer_has_at_least_one_unit():
    with pytest.raises(ValidationError):
        NetworkSettings(hidden=0)


@pytest.mark.parametrize("kind", ["papers", "my.module", "my.module:", ":Mine", "my module:Mine"])
def test_a_network_is_the_paper_s_or_a_class_in_a_module(kind):
    with pytest.raises(ValidationError):
        NetworkSettings(kind=kind)
    assert NetworkSettings(kind="my.module:Mine").kind == "my.module:Mine"


def test_settings_of_one_s_own_are_for_a_network_of_one_s_own():
    own = {"depth": 3, "width": 0.5, "name": "mine", "wide": True}
    with pytest.raises(ValidationError, match="is for a network of one's own"):
        NetworkSettings(own=own)
    found = NetworkSettings(kind="my.module:Mine", own=own).own
    assert [(name, type(of)) for name, of in found.items()] == [
        (name, type(of)) for name, of in own.items()
    ]


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        ExperimentSettings().alpha = 2  # type: ignore[misc]  # just what is forbidden


def test_settings_start_without_torch():
    ours = "ssd_influence.roles, ssd_influence.settings, ssd_influence.rewards.social"
    program = f"import sys, {ours}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
