"""Cleanup's apples and waste. `w` is waste, `~` clean river, `,` a bare orchard cell."""

import numpy as np
import pytest

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import scene
from ssd_envs.palette import APPLE, RIVER, WASTE
from ssd_envs.spec import GameSettings


def test_a_game_starts_barren_without_apples_with_waste_where_the_map_has_it():
    batch = GameBatch(GameSettings(name="cleanup"), 2)
    batch.reset(np.arange(2, dtype=np.uint64))
    cells = batch.state().cells
    assert not (cells == APPLE).any()
    assert ((cells == WASTE) == batch.spec.map.marked("w")).all()


def test_on_the_papers_map_nothing_grows_until_nine_waste_cells_are_cleaned():
    batch = GameBatch(GameSettings(name="cleanup", apple_growth=1.0, waste_growth=0.0), 1)
    batch.reset(np.zeros(1, np.uint64))
    stay = np.full((1, 5), 4, np.uint8)
    for cleaned, grows in ((8, False), (9, True)):
        state = batch.state()
        rows, columns = np.nonzero(batch.spec.map.marked("w"))
        state.cells[0, rows[:cleaned], columns[:cleaned]] = RIVER
        batch.restore(state)
        for _ in range(20):
            batch.step(stay)
        assert (batch.state().cells == APPLE).any() == grows


@pytest.mark.parametrize(
    ("river", "grown"),
    [("ww~~~", 0.0), ("www~~", 0.0), ("w~~~~", 0.05 * (1 - 0.2 / 0.4)), ("~~~~~", 0.05)],
    ids=["at the limit", "beyond it", "half of it", "all clean"],
)
def test_apples_grow_the_faster_the_less_waste_there_is(play, river, grown):
    games = 20_000
    batch = scene("cleanup", f"#######\n#{river}#\n#,.>.>#\n#######", games=games, waste_growth=0.0)
    play(batch, "stay stay")
    apples = (batch.state().cells[:, 2, 1] == APPLE).mean()
    assert apples == pytest.approx(grown, abs=4 * np.sqrt(grown / games))


def test_a_map_without_river_has_no_waste_and_full_growth(play, looks):
    batch = scene("cleanup", "#####\n#,>>#\n#####", apple_growth=1.0)
    play(batch, "stay stay")
    assert looks(batch, "#####\n#o>>#\n#####")


def test_a_stream_is_no_river_to_be_spoilt(play, looks):
    batch = scene("cleanup", "#####\n#=>>#\n#####", waste_growth=1.0)
    play(batch, "stay stay")
    assert looks(batch, "#####\n#=>>#\n#####")


def test_no_apple_grows_under_an_agent(play, looks):
    batch = scene("cleanup", "######\n#,>>,#\n#..,.#\n######\nagents: 0, 1", apple_growth=1.0)
    play(batch, "stay stay")
    assert looks(batch, "######\n#o>>o#\n#..o.#\n######\nagents: 0 1")
    play(batch, "right stay")
    assert looks(batch, "######\n#oo>o#\n#.>o.#\n######\nagents: 1 0")


def test_one_waste_cell_appears_per_step_until_there_is_too_much(play):
    batch = scene("cleanup", "#######\n#~~~~~#\n#.>.>.#\n#######", waste_growth=1.0)
    waste = []
    for _ in range(4):
        play(batch, "stay stay")
        waste.append((batch.state().cells == WASTE).sum())
    assert waste == [1, 2, 2, 2]


def test_each_clean_cell_is_spoilt_equally_often(play):
    batch = scene("cleanup", "#######\n#~~w~~#\n#.>.>.#\n#######", games=4000, waste_growth=1.0)
    play(batch, "stay stay")
    spoilt = (batch.state().cells[:, 1, 1:6] == WASTE).sum(0)
    assert spoilt[2] == 4000
    assert spoilt[[0, 1, 3, 4]] == pytest.approx(np.full(4, 1000), abs=110)


@pytest.mark.parametrize(
    ("river", "chance"), [("~", 0.5), ("~~", 0.75), ("~~~", 0.875), ("~~~w", 0.875)]
)
def test_clean_cells_are_tried_until_one_is_spoilt(play, river, chance):
    games = 10_000
    batch = scene("cleanup", f"#######\n#{river:.<5}#\n#.>.>.#\n#######", games=games)
    before = (batch.state().cells == WASTE).sum()
    play(batch, "stay stay")
    appeared = ((batch.state().cells == WASTE).sum() - before) / games
    assert appeared == pytest.approx(chance, abs=4 * 0.5 / np.sqrt(games))


def test_waste_appears_under_agents_too(play, looks):
    batch = scene("cleanup", "####\n#>>#\n#..#\n####\nagents: 0~ 1", waste_growth=1.0)
    play(batch, "stay stay")
    assert looks(batch, "####\n#>>#\n#..#\n####\nagents: 0w 1")


def test_growth_sees_what_the_beams_of_the_step_have_cleaned(play, looks):
    batch = scene(
        "cleanup",
        "#######\n#>w~~.#\n#,...^#\n#######",
        apple_growth=1.0,
        waste_limit=0.3,
        waste_growth=0.0,
    )
    play(batch, "stay stay")
    assert looks(batch, "#######\n#>w~~.#\n#,...^#\n#######")
    play(batch, "clean stay")
    assert looks(batch, "#######\n#>~~~.#\n#o...^#\n#######")


def test_waste_and_river_can_be_walked_on(play, looks):
    batch = scene("cleanup", "#######\n#>w~=.#\n#....^#\n#######", waste_growth=0.0)
    for _ in range(3):
        play(batch, "forward stay")
    assert looks(batch, "#######\n#.w~>.#\n#....^#\n#######")
