"""The presets have the values of the paper's tables, at a stated scale, and no others."""

from math import inf

import pytest
from click.testing import CliRunner

from ssd_learner.settings import LearningSettings
from ssd_run.cli import main
from ssd_run.presets import listing, load_config, load_preset, preset_names
from ssd_run.run_config import PresetSettings


def column(experiment, learning, **network):
    """One column of the paper's Tables 1 to 3, under our names."""
    names = ("entropy", "lr_init", "lr_end", "communication_entropy")
    learned = dict(zip(names, learning, strict=False))
    return {
        "experiment": {**experiment, "reward_clip": inf},
        "learning": {"algorithm": "vtrace", **learned, "lr_anneal": 3e8},
        **({"network": network} if network else {}),
    }


PLAIN = {"visible_actions": False, "influence": "off"}
SEEING = {"visible_actions": True, "influence": "off"}
PROSOCIAL = {**PLAIN, "reward": "prosocial", "prosocial_eta": 0.85}
AVERSE = {
    **PLAIN,
    "reward": "inequity_averse",
    "disadvantageous": 5.0,
    "advantageous": 0.05,
    "smoothing": 0.96525,
}
CLEANUP_SYMBOLS = {
    "symbols": 9,
    "divergence": "kl",
    "alpha": 0.0,
    "beta": 2.752,
    "beta_ramp": 1e6,
    "communication_weight": 0.0758,
}
HARVEST_SYMBOLS = {
    "symbols": 7,
    "divergence": "kl",
    "alpha": 1.0,
    "beta": 4.825,
    "beta_ramp": 8e6,
    "communication_weight": 0.0709,
}
COLUMNS = {
    "cleanup-baseline": column(PLAIN, (0.00176, 0.00126, 0.000012)),
    "harvest-baseline": column(PLAIN, (0.000687, 0.00136, 0.000028)),
    "cleanup-prosocial": column(PROSOCIAL, (0.00176, 0.00126, 0.000012)),
    "harvest-prosocial": column(PROSOCIAL, (0.000687, 0.00136, 0.000028)),
    "cleanup-inequity-averse": column(AVERSE, (0.00176, 0.00126, 0.000012)),
    "harvest-inequity-averse": column(AVERSE, (0.000687, 0.00136, 0.000028)),
    # Table 1
    "cleanup-visible-actions": column(
        {**SEEING, "leaders": 3, "beta": 0.0}, (0.00176, 0.00126, 0.000012)
    ),
    "harvest-visible-actions": column(
        {**SEEING, "leaders": 3, "beta": 0.0}, (0.00184, 0.00215, 0.000013)
    ),
    "cleanup-basic": column(
        {
            "visible_actions": True,
            "influence": "basic",
            "leaders": 1,
            "influencee_reward": True,
            "divergence": "jsd",
            "beta": 0.146,
            "beta_ramp": 140e6,
        },
        (0.000248, 0.00107, 0.000042),
    ),
    "harvest-basic": column(
        {
            "visible_actions": True,
            "influence": "basic",
            "leaders": 3,
            "influencee_reward": False,
            "divergence": "pmi",
            "beta": 0.224,
            "beta_ramp": 140e6,
        },
        (0.00025, 0.00107, 0.000042),
    ),
    # Table 2
    "cleanup-communication-baseline": column(
        {**PLAIN, "symbols": 9, "beta": 0.0, "communication_weight": 0.0758},
        (0.000249, 0.00223, 0.000022, 0.000789),
        communication_embedding=32,
    ),
    "harvest-communication-baseline": column(
        {**PLAIN, "symbols": 7, "beta": 0.0, "communication_weight": 0.0709},
        (0.000174, 0.00137, 0.0000127, 0.00208),
        communication_embedding=16,
    ),
    "cleanup-communication": column(
        {"visible_actions": False, "influence": "communication", **CLEANUP_SYMBOLS},
        (0.00305, 0.00249, 0.0000127, 0.000789),
        communication_embedding=32,
    ),
    "harvest-communication": column(
        {"visible_actions": False, "influence": "communication", **HARVEST_SYMBOLS},
        (0.00220, 0.000413, 0.000049, 0.00208),
        communication_embedding=16,
    ),
    # Table 3
    "cleanup-moa-aux": column(
        {
            **SEEING,
            "moa_auxiliary": True,
            "beta": 0.0,
            "moa_weight": 1.312,
            "moa_only_when_visible": False,
        },
        (0.00176, 0.00123, 0.000012),
    ),
    "harvest-moa-aux": column(
        {
            **SEEING,
            "moa_auxiliary": True,
            "beta": 0.0,
            "moa_weight": 1.711,
            "moa_only_when_visible": False,
        },
        (0.00495, 0.00206, 0.000022),
    ),
    "cleanup-moa": column(
        {
            "visible_actions": True,
            "influence": "moa",
            "divergence": "kl",
            "beta": 0.620,
            "beta_ramp": 40e6,
            "moa_weight": 15.007,
            "moa_only_when_visible": True,
        },
        (0.00176, 0.00123, 0.000012),
    ),
    "harvest-moa": column(
        {
            "visible_actions": True,
            "influence": "moa",
            "divergence": "kl",
            "beta": 2.521,
            "beta_ramp": 226e6,
            "moa_weight": 10.911,
            "moa_only_when_visible": True,
        },
        (0.00223, 0.00120, 0.000044),
    ),
    # Tables 2 and 3 together
    "cleanup-moa-communication": column(
        {
            "visible_actions": False,
            "influence": "moa_communication",
            **CLEANUP_SYMBOLS,
            "moa_weight": 15.007,
            "moa_only_when_visible": False,
        },
        (0.00305, 0.00249, 0.0000127, 0.000789),
        communication_embedding=32,
    ),
    "harvest-moa-communication": column(
        {
            "visible_actions": False,
            "influence": "moa_communication",
            **HARVEST_SYMBOLS,
            "moa_weight": 10.911,
            "moa_only_when_visible": False,
        },
        (0.00220, 0.000413, 0.000049, 0.00208),
        communication_embedding=16,
    ),
}
PLACES = {
    "baseline": "Tables 1–3: A3C baseline",
    "prosocial": "§10.5.2; fig. 15",
    "inequity-averse": "Table 4: Inequity aversion",
    "visible-actions": "§4, Table 1: Visible actions baseline; fig. 1",
    "basic": "§4, Table 1: Influence; fig. 1",
    "communication-baseline": "§5, Table 2: Comm. baseline; fig. 4",
    "communication": "§5, Table 2: Influence comm.; fig. 4",
    "moa-aux": "§6, Table 3: MOA baseline; fig. 7",
    "moa": "§6, Table 3: Influence MOA; fig. 7",
    "moa-communication": "beyond the paper",
}
BY_THE_PAPER = {
    name: name.replace("baseline", "a3c")
    if name.count("-") == 1 and "base" in name
    else f"{name}-paper"
    for name in COLUMNS
    if not name.endswith(("prosocial", "inequity-averse"))
}


# The defaults are for Cleanup, where returns are far ahead.
REWARD_CLIP = {"cleanup": 1.0, "harvest": inf}  # the same for all presets that are compared
HARVEST_LEARNING = {
    "horizon": 50,
    "minibatch": 1200,
    "passes": 2,
    "moa_passes": 2,
    "normalise_values": False,
    "value_gradient_limit": inf,
}


def expected(name):
    """The values of a column as our own learner's preset has them."""
    values = {key: value for key, value in COLUMNS[name].items() if key != "learning"}
    experiment = dict(values["experiment"], reward_clip=REWARD_CLIP[name.partition("-")[0]])
    if "beta_ramp" in experiment:
        experiment["beta_ramp"] /= 20
    if "moa_weight" in experiment:
        experiment["moa_weight"] = 0.1
    return {**values, "experiment": experiment}


def learning_of(name):
    """The learning settings of all presets of a game."""
    return HARVEST_LEARNING if name.startswith("harvest-") else {}


def values_of(name):
    """All values that a preset sets, its base included."""
    sections = load_preset(name)
    return {key: value for key, value in sections.items() if key != "preset"}


def test_every_column_of_the_tables_is_a_preset_and_another_with_the_papers_learner():
    found = {name for name in preset_names() if name.startswith(("cleanup-", "harvest-"))}
    assert found == set(COLUMNS) | set(BY_THE_PAPER.values())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_preset_sets_the_experiment_of_its_column_and_the_learning_of_its_game(
    name,
):
    learning = {"learning": learning_of(name)} if learning_of(name) else {}
    assert values_of(name) == {
        "game": {"name": name.partition("-")[0]},
        **learning,
        **expected(name),
    }


@pytest.mark.parametrize(("name", "paper"), BY_THE_PAPER.items())
def test_a_preset_with_the_papers_learner_sets_all_values_of_its_column(name, paper):
    game, lanes, column = {"name": name.partition("-")[0]}, {"games": 96}, COLUMNS[name]
    learning = {**learning_of(name), **column["learning"]}
    assert values_of(paper) == {"game": game, "run": lanes, **column, "learning": learning}


@pytest.mark.parametrize(("name", "paper"), BY_THE_PAPER.items())
def test_a_run_has_the_values_of_its_preset(name, paper):
    for preset, column in ((name, expected(name)), (paper, COLUMNS[name])):
        sections = load_config(preset).sections()
        for section, keys in column.items():
            assert {key: sections[section][key] for key in keys} == keys


@pytest.mark.parametrize("name", [*COLUMNS, *BY_THE_PAPER.values()])
def test_a_preset_names_its_place_in_the_paper(name):
    kind = name.partition("-")[2].removesuffix("-paper").replace("a3c", "baseline")
    config = load_config(name)
    assert config.preset.name == name
    assert PLACES[kind] in config.preset.paper


@pytest.mark.parametrize("name", BY_THE_PAPER.values())
def test_a_preset_with_the_papers_learner_has_the_papers_learning_settings(name):
    learning = load_config(name).learning
    assert (learning.gamma, learning.value_coefficient) == (0.99, 0.5)
    assert (learning.gradient_clip, learning.lr_anneal) == (40.0, 3e8)
    assert (learning.rho_clip, learning.c_clip) == (1.0, 1.0)


@pytest.mark.parametrize("name", COLUMNS)
def test_all_other_presets_of_a_game_have_the_same_learning_settings(name):
    assert load_config(name).learning == LearningSettings(**learning_of(name))


def listed():
    result = CliRunner().invoke(main, ["--list"])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


BY_NAME_ALONE = set(BY_THE_PAPER.values())


def test_presets_with_the_papers_learner_are_listed_by_name_only():
    lines = listed()
    begin = lines.index(listing.PAPER_LEARNER) + 1
    names = " ".join(lines[begin : lines.index("", begin)]).replace(",", "").split()
    assert names == sorted(BY_NAME_ALONE)


@pytest.mark.parametrize("name", sorted(set(preset_names()) - BY_NAME_ALONE))
def test_the_list_shows_each_preset_once_with_a_line_and_its_place_in_the_paper(name):
    lines = listed()
    (at,) = (number for number, line in enumerate(lines) if line.split()[:1] == [name])
    shown = " ".join([lines[at].replace(name, ""), *lines[at + 1 : at + 4]])
    preset = load_config(name).preset
    assert preset.about
    assert preset.paper
    assert f"{preset.about} {preset.paper}" in " ".join(shown.split())


def test_the_list_fits_a_terminal_of_80_and_narrower_ones():
    assert max(map(len, listed())) <= 80
    assert max(map(len, listing.lines(60))) <= 60


def test_the_list_has_two_columns():
    lines = [*listed(), *listing.lines(60)]
    entries = [line for line in lines if line.startswith("  ") and "," not in line.split()[0]]
    column = len(max(set(preset_names()) - BY_NAME_ALONE, key=len)) + 4
    entries = [line for line in entries if not line.strip().startswith(tuple(BY_NAME_ALONE))]
    assert all(line[column - 1] == " " and line[column] != " " for line in entries)


def grouped(**groups):
    """The list of presets with these groups: heading → names."""
    named = {name.replace("_", "-"): group for name, group in groups.items()}
    return listing.grouped(
        {name: PresetSettings(name=name, group=group) for name, group in named.items()}
    )


def test_presets_are_listed_by_group_in_the_order_of_the_paper():
    first, second, *_ = listing.HEADINGS
    found = grouped(harvest_basic=second, harvest_baseline=first, cleanup_baseline=first)
    assert list(found.items()) == [
        (first, ("cleanup-baseline", "harvest-baseline")),
        (second, ("harvest-basic",)),
    ]


def test_other_groups_are_listed_after_those_and_presets_without_a_group_last():
    first = listing.HEADINGS[0]
    found = grouped(pond=None, a_lake="Lakes", my_pond=first, harvest_mine="Lakes", cleanup=first)
    assert list(found.items()) == [
        (first, ("cleanup", "my-pond")),
        ("Lakes", ("a-lake", "harvest-mine")),
        (listing.NO_GROUP, ("pond",)),
    ]
