import subprocess
import sys

import pytest

from ssd_envs.spec import GAMES, GameSettings, game_spec

MOVES = ("left", "right", "forward", "backward", "stay", "turn_clockwise", "turn_counterclockwise")


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("cleanup", (*MOVES, "fire", "clean")),
        ("cleanup-small", (*MOVES, "fire", "clean")),
        ("harvest", (*MOVES, "fire")),
        ("harvest-small", (*MOVES, "fire")),
        ("box-trapped", (*MOVES, "open_box")),
    ],
)
def test_actions_are_numbered_as_published(name, actions):
    spec = game_spec(GameSettings(name=name))
    assert spec.action_names == actions
    assert spec.num_actions == len(actions)


@pytest.mark.parametrize(
    ("name", "agents", "horizon"),
    [
        ("cleanup", 5, 1000),
        ("cleanup-small", 3, 250),
        ("harvest", 5, 1000),
        ("harvest-small", 3, 250),
        ("box-trapped", 2, 100),
    ],
)
def test_each_game_has_its_default_agents_and_horizon_unless_settings_change_them(
    name, agents, horizon
):
    spec = game_spec(GameSettings(name=name))
    assert (spec.num_agents, spec.view, spec.horizon) == (agents, 15, horizon)
    assert game_spec(GameSettings(name=name, horizon=7)).horizon == 7


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("cleanup", {"apples", "fires", "hits", "cleaned"}),
        ("harvest", {"apples", "fires", "hits"}),
        ("box-trapped", {"apples", "opened_at"}),
    ],
)
def test_settings_list_the_events_that_can_happen_in_the_game(name, events):
    assert set(GameSettings(name=name).events) == events


def test_dumped_settings_of_every_game_load_unchanged():
    for name in GAMES:
        settings = GameSettings(name=name)
        assert GameSettings.model_validate(settings.model_dump()) == settings


@pytest.mark.parametrize(
    ("name", "others"), [("cleanup", {"waste_growth": (0.05, 0.5)}), ("harvest", {})]
)
def test_a_small_game_differs_from_the_large_one_in_these_settings_only(name, others):
    small, large = (GameSettings(name=it).model_dump() for it in (f"{name}-small", name))
    differ = {key: (small[key], large[key]) for key in small if small[key] != large[key]}
    sizes = {"agents": (3, 5), "horizon": (250, 1000)}
    assert differ == {"name": (f"{name}-small", name), **sizes, **others}
    assert GAMES[f"{name}-small"].actions == GAMES[name].actions


def test_an_unknown_game_is_refused():
    with pytest.raises(ValueError, match="name"):
        GameSettings.model_validate({"name": "chess"})
    with pytest.raises(ValueError, match="name"):
        GameSettings.model_validate({})


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("agents", 1),
        ("agents", 250),
        ("horizon", 0),
        ("fine", -1),
        ("fine", float("nan")),
        ("fire_cost", float("inf")),
        ("beam_length", 0),
        ("regrowth", ()),
        ("regrowth", (0.0, 1.5)),
        ("growth_radius", 50),
        ("no_such_thing", 3),
    ],
)
def test_settings_out_of_range_are_refused_by_name(parameter, wrong):
    with pytest.raises(ValueError, match=parameter):
        GameSettings.model_validate({"name": "harvest", parameter: wrong})


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("harvest", {"waste_limit": 0.5}),
        ("cleanup", {"growth_radius": 4}),
        ("box-trapped", {"fine": 3}),
        ("box-trapped", {"fire_cost": 3}),
        ("box-trapped", {"beam_length": 3}),
        ("box-trapped", {"apple_growth": 0.3}),
    ],
)
def test_a_parameter_of_another_game_is_refused(name, parameter):
    with pytest.raises(ValueError, match=f"{name} has no {next(iter(parameter))}"):
        GameSettings(name=name, **parameter)


def test_a_game_has_at_most_as_many_agents_as_spawn_cells():
    assert game_spec(GameSettings(name="cleanup", agents=10)).num_agents == 10
    with pytest.raises(ValueError, match=r"10 spawn cells .* needs 11"):
        GameSettings(name="cleanup", agents=11)


def test_box_trapped_is_for_two_agents():
    with pytest.raises(ValueError, match="this game is for 2 agents, not 3"):
        GameSettings(name="box-trapped", agents=3)


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        GameSettings(name="cleanup").agents = 3


def test_spec_is_imported_without_numba_and_torch():
    script = "import sys, ssd_envs.spec; print({'numba', 'torch'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
