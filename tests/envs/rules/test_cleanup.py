"""Cleanup's apples and waste. `w` is waste, `~` clean river, `,` a bare apple cell."""

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.batch import GameBatch
from ssd_envs.palette import APPLE, RIVER, WASTE
from ssd_envs.spec import GameSettings


def test_a_game_starts_without_apples_and_with_waste_where_the_map_has_it():
    batch = GameBatch(GameSettings(name="cleanup"), 2)
    batch.reset(np.arange(2, dtype=np.uint64))
    cells = batch.state().contents
    assert not (cells == APPLE).any()
    assert ((cells == WASTE) == batch.spec.map.mask("w")).all()


def test_on_the_papers_map_nothing_grows_until_nine_waste_cells_are_cleaned():
    batch = GameBatch(GameSettings(name="cleanup", apple_growth=1.0, waste_growth=0.0), 1)
    batch.reset(np.zeros(1, np.uint64))
    stay = np.full((1, 5), 4, np.uint8)
    for cleaned, grows in ((8, False), (9, True)):
        state = batch.state()
        rows, columns = np.nonzero(batch.spec.map.mask("w"))
        state.contents[0, rows[:cleaned], columns[:cleaned]] = RIVER
        batch.restore(state)
        for _ in range(20):
            batch.step(stay)
        assert (batch.state().contents == APPLE).any() == grows


@pytest.mark.parametrize(
    ("river", "grown"),
    [("ww~~~", 0.0), ("www~~", 0.0), ("w~~~~", 0.05 * (1 - 0.2 / 0.4)), ("~~~~~", 0.05)],
    ids=["at the limit", "beyond it", "half of it", "all clean"],
)
def test_apples_grow_faster_with_less_waste(play, river, grown):
    games = 20_000
    batch = drawn_batch(
        "cleanup", f"#######\n#{river}#\n#,.>.>#\n#######", num_games=games, waste_growth=0.0
    )
    play(batch, "stay stay")
    apples = (batch.state().contents[:, 2, 1] == APPLE).mean()
    assert apples == pytest.approx(grown, abs=4 * np.sqrt(grown / games))


def test_a_map_without_a_river_has_no_waste_and_full_growth(play, looks_like):
    batch = drawn_batch("cleanup", "#####\n#,>>#\n#####", apple_growth=1.0)
    play(batch, "stay stay")
    assert looks_like(batch, "#####\n#o>>#\n#####")


def test_stream_cells_do_not_turn_to_waste(play, looks_like):
    batch = drawn_batch("cleanup", "#####\n#=>>#\n#####", waste_growth=1.0)
    play(batch, "stay stay")
    assert looks_like(batch, "#####\n#=>>#\n#####")


def test_no_apple_grows_under_an_agent(play, looks_like):
    batch = drawn_batch("cleanup", "######\n#,>>,#\n#..,.#\n######\nagents: 0, 1", apple_growth=1.0)
    play(batch, "stay stay")
    assert looks_like(batch, "######\n#o>>o#\n#..o.#\n######\nagents: 0 1")
    play(batch, "right stay")
    assert looks_like(batch, "######\n#oo>o#\n#.>o.#\n######\nagents: 1 0")


def test_one_waste_cell_appears_per_step_until_there_is_too_much(play):
    batch = drawn_batch("cleanup", "#######\n#~~~~~#\n#.>.>.#\n#######", waste_growth=1.0)
    waste = []
    for _ in range(4):
        play(batch, "stay stay")
        waste.append((batch.state().contents == WASTE).sum())
    assert waste == [1, 2, 2, 2]


def test_each_clean_cell_turns_to_waste_equally_often(play):
    batch = drawn_batch(
        "cleanup", "#######\n#~~w~~#\n#.>.>.#\n#######", num_games=4000, waste_growth=1.0
    )
    play(batch, "stay stay")
    turned = (batch.state().contents[:, 1, 1:6] == WASTE).sum(0)
    assert turned[2] == 4000
    assert turned[[0, 1, 3, 4]] == pytest.approx(np.full(4, 1000), abs=110)


@pytest.mark.parametrize(
    ("river", "probability"), [("~", 0.5), ("~~", 0.75), ("~~~", 0.875), ("~~~w", 0.875)]
)
def test_clean_cells_are_tried_until_one_turns_to_waste(play, river, probability):
    games = 10_000
    batch = drawn_batch("cleanup", f"#######\n#{river:.<5}#\n#.>.>.#\n#######", num_games=games)
    before = (batch.state().contents == WASTE).sum()
    play(batch, "stay stay")
    appeared = ((batch.state().contents == WASTE).sum() - before) / games
    assert appeared == pytest.approx(probability, abs=4 * 0.5 / np.sqrt(games))


def test_waste_appears_under_agents_too(play, looks_like):
    batch = drawn_batch("cleanup", "####\n#>>#\n#..#\n####\nagents: 0~ 1", waste_growth=1.0)
    play(batch, "stay stay")
    assert looks_like(batch, "####\n#>>#\n#..#\n####\nagents: 0w 1")


def test_growth_depends_on_the_board_after_the_beams_of_the_step(play, looks_like):
    batch = drawn_batch(
        "cleanup",
        "#######\n#>w~~.#\n#,...^#\n#######",
        apple_growth=1.0,
        waste_limit=0.3,
        waste_growth=0.0,
    )
    play(batch, "stay stay")
    assert looks_like(batch, "#######\n#>w~~.#\n#,...^#\n#######")
    play(batch, "clean stay")
    assert looks_like(batch, "#######\n#>~~~.#\n#o...^#\n#######")


def test_agents_can_walk_on_waste_and_river(play, looks_like):
    batch = drawn_batch("cleanup", "#######\n#>w~=.#\n#....^#\n#######", waste_growth=0.0)
    for _ in range(3):
        play(batch, "forward stay")
    assert looks_like(batch, "#######\n#.w~>.#\n#....^#\n#######")
