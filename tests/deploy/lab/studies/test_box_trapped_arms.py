"""What is compared differs in what is compared alone."""

import pytest

from ssd_lab.studies.box_trapped.arms import ARMS
from ssd_run.presets import load_config


def settings(arm):
    """All settings of an arm, by section and key."""
    config = load_config(ARMS[arm].preset)
    return {
        (section, key): value
        for section, keys in config.sections().items()
        if section != "preset"
        for key, value in keys.items()
    }


def differences(one, other):
    ours, theirs = settings(one), settings(other)
    return {key for key in ours | theirs if ours.get(key) != theirs.get(key)}


@pytest.mark.parametrize("arm", ["moa", "basic"])
def test_influence_and_its_control_differ_in_beta_alone(arm):
    assert differences(arm, f"{arm}-control") == {("experiment", "beta")}
    assert settings(arm)["experiment", "beta"] > 0
    assert settings(f"{arm}-control")["experiment", "beta"] == 0


def test_plain_a3c_is_the_control_without_visible_actions_and_model_of_others():
    apart = differences("a3c", "moa-control")
    seeing = {("experiment", key) for key in ("visible_actions", "influence", "moa_weight")}
    assert apart == seeing
    assert settings("a3c")["experiment", "visible_actions"] is False
    assert settings("a3c")["experiment", "influence"] == "off"


def test_all_arms_have_the_same_game_and_learning_settings():
    shared = {key for key in settings("moa") if key[0] != "experiment"}
    for arm in ARMS:
        assert not differences("moa", arm) & shared


def test_influence_has_its_full_weight_from_the_start():
    """β counts from the first step, as long as the box is still opened by chance."""
    assert settings("moa")["experiment", "beta_ramp"] == 0
