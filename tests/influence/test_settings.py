import math
import subprocess
import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from ssd_influence.kernels.divergences import DIVERGENCES
from ssd_influence.settings import Divergence, ExperimentSettings, NetworkSettings


@pytest.mark.parametrize(
    ("own_steps", "beta"), [(0, 0.0), (10, 0.155), (40, 0.62), (41, 0.62), (10**9, 0.62)]
)
def test_beta_grows_linearly_over_own_steps_and_then_stays_constant(own_steps, beta):
    settings = ExperimentSettings(influence="moa", beta=0.62, beta_ramp=40)
    assert settings.beta_at(own_steps) == pytest.approx(beta)


def test_without_a_ramp_beta_has_its_full_value_from_the_start():
    assert ExperimentSettings(influence="moa", beta=0.62).beta_at(0) == 0.62


def test_infinity_switches_the_influence_clip_off():
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
def test_an_invalid_value_is_refused(wrong):
    with pytest.raises(ValidationError):
        ExperimentSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("wrong", "objection"),
    [
        ({"beta": 0.1}, 'beta = 0.1 weighs an influence reward, but influence = "off"'),
        ({"influence": "basic"}, "needs leaders, or roles"),
        (
            {"influence": "basic", "leaders": 1, "roles": ("influencer",)},
            "leaders = 1 and roles exclude each other",
        ),
        ({"influence": "moa", "leaders": 2}, 'leaders = 2: with influence = "moa" nobody acts'),
        ({"influence": "moa", "influencee_reward": True}, 'needs influence = "basic", not "moa"'),
        ({"influence": "communication"}, "is of symbols: it needs symbols of at least 2"),
        ({"influence": "moa_communication"}, "is of symbols: it needs symbols of at least 2"),
        ({"symbols": 1}, "symbols = 1 carries no information"),
    ],
)
def test_inconsistent_settings_are_refused_with_the_reason(wrong, objection):
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
def test_consistent_settings_are_accepted(experiment):
    settings = ExperimentSettings.model_validate(experiment)
    assert settings.model_dump(include=set(experiment)) == experiment


def test_the_settings_name_exactly_the_divergences_that_the_kernels_have():
    assert set(get_args(Divergence)) == set(DIVERGENCES)


@pytest.mark.parametrize("moa_auxiliary", [False, True])
@pytest.mark.parametrize(
    ("influence", "needs_moa"),
    [
        ("off", False),
        ("basic", False),
        ("communication", False),
        ("moa", True),
        ("moa_communication", True),
        ("my.package:Curiosity", False),
    ],
)
def test_agents_have_a_moa_if_their_reward_needs_it_or_moa_auxiliary_is_set(
    influence, needs_moa, moa_auxiliary
):
    leaders = int(influence == "basic")
    settings = ExperimentSettings(
        influence=influence, moa_auxiliary=moa_auxiliary, leaders=leaders, symbols=5
    )
    assert settings.has_moa == (needs_moa or moa_auxiliary)
    assert settings.influence_of_symbols == influence.endswith("communication")


def test_a_layer_needs_at_least_one_unit():
    with pytest.raises(ValidationError):
        NetworkSettings(hidden=0)


@pytest.mark.parametrize("kind", ["papers", "my.module", "my.module:", ":Mine", "my module:Mine"])
def test_the_network_is_the_paper_s_or_names_a_class_in_a_module(kind):
    with pytest.raises(ValidationError):
        NetworkSettings(kind=kind)
    assert NetworkSettings(kind="my.module:Mine").kind == "my.module:Mine"


@pytest.mark.parametrize("value", [[1], {"deep": 1}, float("inf"), None], ids=repr)
def test_an_own_setting_is_a_truth_value_a_finite_number_or_a_text(value):
    with pytest.raises(ValidationError, match="a: wanted true, false, a number or a text") as found:
        NetworkSettings(kind="my.module:Mine", own={"a": value})
    assert found.value.error_count() == 1


def test_own_settings_are_accepted_for_a_custom_network_only():
    own = {"depth": 3, "width": 0.5, "name": "mine", "wide": True}
    with pytest.raises(ValidationError, match="is for a custom network"):
        NetworkSettings(own=own)
    found = NetworkSettings(kind="my.module:Mine", own=own).own
    assert [(name, type(of)) for name, of in found.items()] == [
        (name, type(of)) for name, of in own.items()
    ]


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        ExperimentSettings().alpha = 2  # type: ignore[misc]  # the error under test


def test_settings_roles_and_social_rewards_import_without_torch():
    ours = "ssd_influence.roles, ssd_influence.settings, ssd_influence.rewards.social"
    program = f"import sys, {ours}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
