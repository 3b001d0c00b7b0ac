import pytest

from ssd_lab.plan import validate
from ssd_lab.presets import load_preset, preset_names
from ssd_wire.errors import RunFileError

# Table 3 of the paper, column by column. C is read in millions of own-steps.
TABLE_3 = {
    # preset: entropy, lr_init, lr_end, β, MOA weight, C, divergence, only when visible
    "cleanup-a3c": (0.00176, 0.00126, 0.000012, None, None, None, None, None),
    "cleanup-moa-aux": (0.00176, 0.00123, 0.000012, 0.0, 1.312, None, None, False),
    "cleanup-moa": (0.00176, 0.00123, 0.000012, 0.620, 15.007, 40, "kl", True),
    "harvest-a3c": (0.000687, 0.00136, 0.000028, None, None, None, None, None),
    "harvest-moa-aux": (0.00495, 0.00206, 0.000022, 0.0, 1.711, None, None, False),
    "harvest-moa": (0.00223, 0.00120, 0.000044, 2.521, 10.911, 226, "kl", True),
}
MOA = {"a3c": "off", "moa-aux": "auxiliary", "influence": "moa"}


def test_all_columns_of_table_3_are_presets():
    assert preset_names() == tuple(sorted(TABLE_3))


@pytest.mark.parametrize("name", TABLE_3)
def test_preset_has_the_papers_numbers(name):
    entropy, lr_init, lr_end, beta, weight, ramp, divergence, only_visible = TABLE_3[name]
    plan = validate(load_preset(name))
    learning, experiment = plan.learning, plan.experiment
    assert (learning.entropy, learning.lr_init, learning.lr_end) == (entropy, lr_init, lr_end)
    assert experiment.beta == (beta or 0.0)
    if weight is not None:
        assert experiment.moa_weight == weight
        assert experiment.moa_only_when_visible is only_visible
    if ramp is not None:
        assert experiment.beta_ramp == ramp * 1_000_000
        assert experiment.divergence == divergence


@pytest.mark.parametrize("name", TABLE_3)
def test_preset_is_the_experiment_that_its_name_says(name):
    game, _, kind = name.partition("-")
    plan = validate(load_preset(name))
    assert plan.game.name == game
    assert plan.experiment.moa == MOA[kind]
    assert plan.experiment.visible_actions is (kind != "a3c")
    assert plan.preset.name == name
    assert plan.preset.about.startswith(game.capitalize())
    assert f"Table 3: {game.capitalize()}" in plan.preset.paper


@pytest.mark.parametrize("name", TABLE_3)
def test_every_preset_learns_as_the_method_says(name):
    learning = validate(load_preset(name)).learning
    assert (learning.gamma, learning.value_coefficient) == (0.99, 0.5)
    assert (learning.gradient_clip, learning.lr_anneal) == (40.0, 3e8)
    assert (learning.rho_clip, learning.c_clip) == (1.0, 1.0)


def test_unknown_preset_is_refused_with_the_nearest_name():
    with pytest.raises(RunFileError, match="did you mean cleanup-moa"):
        load_preset("clenup-moa")


def test_own_file_is_a_preset_named_after_it(tmp_path):
    (tmp_path / "mine.toml").write_text('[game]\nname = "harvest"\nagents = 3\n')
    plan = validate(load_preset(str(tmp_path / "mine.toml")))
    assert (plan.preset.name, plan.game.agents) == ("mine", 3)
    assert plan.learning.gamma == 0.99  # what it does not set takes the default


def test_missing_own_file_is_named():
    with pytest.raises(RunFileError, match=r"no/such\.toml"):
        load_preset("no/such.toml")
