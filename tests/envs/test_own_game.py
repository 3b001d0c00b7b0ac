"""A user's own game works like the built-in ones. The rules of the example are tested too."""

import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.batch import GameBatch
from ssd_envs.games import GAMES, MOVES, Game
from ssd_envs.maps.game_map import LEGEND
from ssd_envs.palette import APPLE
from ssd_envs.spec import EVENTS, GameSettings, game_spec
from ssd_envs.state import CONTENTS

NAME = "own_game.game:COMMONS"
RULES = """
    import numpy as np
    from ssd_envs.games import MOVES, Game
    from ssd_envs.rules.interface import Rules

    SEEN = []

    class Paid(Rules):
        def __init__(self, settings, layout):
            self.map = settings.parsed_map()
            self.wage = settings.own["wage"]
            self.bearing = layout.cells_where(self.map.mask("o"))

        def initial_contents(self):
            return np.where(self.map.mask("#"), 1, 0).astype(np.uint8)

        def apply_actions(self, boards):
            SEEN.append(("act", boards.episode_step.tolist(), boards.counts[1].tolist()))
            boards.reward[:] += self.wage * (boards.actions.T == 8)

        def grow(self, boards):
            SEEN.append(("grow", boards.episode_step.tolist(), boards.reward.T.tolist()))
            boards.contents[:, self.bearing] = 2

    PAID = Game(
        actions=(*MOVES, "fire", "work"),
        symbols="#.+o",
        map="#####\\n#+++#\\n#+o+#\\n#####",
        rules="paid:Paid",
        own={"wage": 2.0},
        defaults={"agents": 2, "horizon": 10},
    )
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be imported during a test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        monkeypatch.delitem(sys.modules, name, raising=False)

    return write


def orchard(drawing, num_games=1, **own):
    return drawn_batch(NAME, drawing, num_games, own=own)


def test_an_own_game_has_its_own_sizes_unless_settings_change_them():
    spec = game_spec(GameSettings(name=NAME))
    assert (spec.name, spec.num_agents, spec.horizon) == (NAME, 3, 250)
    assert spec.action_names == (*MOVES, "fire", "sow")
    assert game_spec(GameSettings(name=NAME, agents=4, horizon=9)).horizon == 9


def test_the_spec_of_an_own_game_is_made_without_numba_and_without_its_rules():
    settings = f"from ssd_envs.spec import *; game_spec(GameSettings(name={NAME!r}))"
    loaded = "print({'numba', 'torch', 'own_game.rules'} & set(sys.modules))"
    script = f"import sys; sys.path = {sys.path!r}; {settings}; {loaded}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_own_parameters_that_are_not_given_have_their_default_values():
    assert GameSettings(name=NAME).own == {"growth": 0.05, "sowing": 0.2}
    assert GameSettings(name=NAME, own={"growth": 1}).own == {"growth": 1.0, "sowing": 0.2}


def test_dumped_settings_of_an_own_game_load_unchanged():
    settings = GameSettings(name=NAME, own={"sowing": 0.5}, fine=3)
    assert GameSettings.model_validate(settings.model_dump()) == settings
    assert settings.model_dump()["own"] == {"growth": 0.05, "sowing": 0.5}


def test_dumped_settings_of_games_without_own_parameters_have_no_own_key():
    assert all("own" not in GameSettings(name=name).model_dump() for name in GAMES)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"own": {"sowin": 0.5}}, "has no own sowin: it has growth, sowing"),
        ({"own": {"sowing": "much"}}, "own sowing: wanted float, found 'much'"),
        ({"own": {"sowing": True}}, "own sowing: wanted float, found True"),
        ({"own": {"sowing": [1]}}, r"own sowing: wanted float, found \[1\]"),
        ({"own": 3}, "own"),
        ({"waste_limit": 0.3}, "has no waste_limit"),
        ({"regrowth": (0.5,)}, "has no regrowth"),
    ],
)
def test_parameters_that_an_own_game_does_not_have_are_refused_in_one_error(settings, wrong):
    with pytest.raises(ValueError, match=wrong) as refused:
        GameSettings.model_validate({"name": NAME, **settings})
    assert len(refused.value.errors()) == 1


@pytest.mark.parametrize("name", GAMES)
def test_no_other_game_has_own_parameters(name):
    with pytest.raises(ValueError, match=f"{name} has no own growth: it has none"):
        GameSettings(name=name, own={"growth": 0.5})


@pytest.mark.parametrize("name", ["chess", "chess.game", "Cleanup", "", ":X", "a:b:c", "a b:c"])
def test_an_unknown_name_is_refused_with_all_known_names(name):
    with pytest.raises(ValueError, match="no game is called") as refused:
        GameSettings(name=name)
    assert repr(name) in str(refused.value)
    assert all(known in str(refused.value) for known in (*GAMES, "package.module:NAME"))
    assert len(refused.value.errors()) == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("no_such.game:X", "cannot import no_such.game:X: No module named 'no_such'.*PYTHONPATH"),
        ("own_game.game:COMON", "cannot import own_game.game:COMON: .*no attribute 'COMON'"),
        ("own_game.game:MAP", "own_game.game:MAP: wanted a ssd_envs.games.Game, found '"),
        ("torn:GAME", "cannot import torn:GAME: SyntaxError"),
        ("hasty:GAME", "cannot import hasty:GAME: NameError: name 'MOVE' is not defined"),
    ],
)
def test_an_own_game_that_cannot_be_imported_is_refused_with_the_reason(module, name, wrong):
    module("torn", "GAME = (")
    module("hasty", "GAME = MOVE")
    with pytest.raises(ValueError, match=wrong) as refused:
        GameSettings(name=name)
    assert [error["loc"] for error in refused.value.errors()] == [("name",)]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"actions": ("stay", "fire")}, "actions must be left, right"),
        ({"actions": (*MOVES, "sow", "sow")}, "actions must be left, right"),
        ({"symbols": "#.+x"}, r"symbols must be among '.*', not x"),
        ({"rules": "own_game.rules"}, "package.module:Class, not 'own_game.rules'"),
    ],
)
def test_a_game_that_cannot_be_played_cannot_be_constructed(change, wrong):
    with pytest.raises(ValueError, match=wrong):
        replace(GAMES["harvest"], **change)


def test_for_every_map_symbol_it_is_defined_what_its_cells_may_hold():
    assert set(CONTENTS) == set(LEGEND)


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ("no_such:Rules", "cannot import no_such:Rules"),
        ("own_game.rules:Bare", "cannot import own_game.rules:Bare"),
        (
            "own_game.rules:sow",
            "own_game.rules:sow: wanted a subclass of ssd_envs.rules.interface.Rules",
        ),
        ("builtins:dict", "builtins:dict: wanted a subclass of ssd_envs.rules.interface.Rules"),
    ],
)
def test_rules_of_the_wrong_type_are_refused_when_a_batch_is_made(monkeypatch, rules, wrong):
    monkeypatch.setitem(GAMES, "harvest", replace(GAMES["harvest"], rules=rules))
    settings = GameSettings(name="harvest")
    with pytest.raises(ValueError, match=wrong):
        GameBatch(settings, 1)


def test_reward_for_an_own_action_is_part_of_the_reward(module):
    module("paid", RULES)
    batch = GameBatch(GameSettings(name="paid:PAID", own={"wage": 3}), 2)
    batch.reset(np.arange(2, dtype=np.uint64))
    batch.step(np.array([[8, 4], [4, 8]], np.uint8))
    assert batch.reward.T.tolist() == [[3, 0], [0, 3]]
    assert batch.returns.tolist() == [[3, 0], [0, 3]]


def test_own_actions_come_after_the_beams_and_before_growth_in_the_same_step(module):
    module("paid", RULES)
    batch = GameBatch(GameSettings(name="paid:PAID"), 1)
    batch.reset(np.zeros(1, np.uint64), episode_step=np.array([6]))
    batch.step(np.array([[7, 8]], np.uint8))
    seen, fired = sys.modules["paid"].SEEN, [[1, 0]]
    assert batch.counts[:, :, EVENTS.index("fires")].tolist() == fired
    assert seen == [("act", [6], fired), ("grow", [6], batch.reward.T.tolist())]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("#####\n#>,.#\n#..<#\n#####", "#####\n#>o.#\n#..<#\n#####"),
        ("#####\n#.v.#\n#<,.#\n#####", "#####\n#.v.#\n#<o.#\n#####"),
        ("#####\n#>.,#\n#..<#\n#####", "#####\n#>.,#\n#..<#\n#####"),
        ("#####\n#<,.#\n#..<#\n#####", "#####\n#<,.#\n#..<#\n#####"),
    ],
    ids=["bare cell ahead", "below, facing down", "floor ahead", "wall ahead"],
)
def test_sowing_grows_an_apple_on_the_bare_apple_cell_ahead(play, looks_like, before, after):
    batch = orchard(before, growth=0.0, sowing=1.0)
    play(batch, "sow stay")
    assert looks_like(batch, after)
    batch.state().check(batch.spec)


def test_sowing_has_no_effect_on_a_cell_with_an_agent(play, looks_like):
    drawing = "####\n#><#\n#..#\n#..#\n####\nagents: 0 1"
    batch = orchard(f"{drawing},", growth=0.0, sowing=1.0)
    play(batch, "sow stay")
    assert looks_like(batch, drawing)  # which would say 1o


def test_sowing_succeeds_with_its_probability(play):
    batch = orchard("#####\n#>,.#\n#..<#\n#####", num_games=4000, growth=0.0, sowing=0.3)
    play(batch, "sow stay")
    sown = (batch.state().contents == APPLE).sum()
    assert sown / 4000 == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("row", "probability"),
    [("o,,,", 0.1), ("oo,,", 0.2), ("ooo,", 0.3), (",,,,", 0.0)],
    ids=["a quarter stands", "half", "three quarters", "bare"],
)
def test_bare_cells_regrow_by_how_much_of_the_orchard_is_left(play, row, probability):
    batch = orchard(f"######\n#{row}#\n#^..<#\n######", num_games=4000, growth=0.4, sowing=1.0)
    play(batch, "stay stay")
    grown = (batch.state().contents[:, 1] == APPLE).sum() - 4000 * row.count("o")
    assert grown / (4000 * row.count(",")) == pytest.approx(
        probability, abs=0.03 * (probability > 0)
    )


def test_nothing_grows_under_an_agent(play):
    batch = orchard(
        "####\n#o<#\n#.^#\n#..#\n####\nagents: 0, 1", num_games=50, growth=1.0, sowing=0.0
    )
    for _ in range(20):
        play(batch, "stay stay")
        assert (batch.state().contents[:, 1, 2] != APPLE).all()


def test_an_own_game_can_use_the_rules_of_a_built_in_game():
    game = Game(actions=MOVES, symbols="#.+", map="", rules="ssd_envs.rules.harvest:Harvest")
    assert (game.parameters, game.own, game.defaults) == (frozenset(), {}, {})
