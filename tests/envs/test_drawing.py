import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw_game, set_from_drawing
from ssd_envs.spec import GameSettings


def test_a_drawing_reads_back_as_it_was_drawn():
    drawing = "########\n#>.o,w~#\n#=..v..#\n########\nagents: 1 0"
    assert draw_game(drawn_batch("cleanup", drawing)) == drawing


def test_the_last_line_of_a_drawing_tells_which_agents_stand_on_waste():
    drawing = "#####\n#>w.#\n#.~^#\n#####\nagents: 1w 0"
    assert draw_game(drawn_batch("cleanup", drawing)) == drawing


def test_shut_and_open_doors_and_agents_in_doors_can_be_drawn():
    for door in "Dd":
        drawing = f"#####\n#>{door}^#\n#####\nagents: 1 0"
        assert draw_game(drawn_batch("box-trapped", drawing)) == drawing
    batch = drawn_batch("box-trapped", "######\n#>Do<#\n######\nagents: 1 0")
    for drawing in ("######\n#.>,<#\n######\nagents: 1 0", "######\n#.d<>#\n######\nagents: 1 0"):
        set_from_drawing(batch, drawing)
        assert draw_game(batch) == drawing


def test_a_running_game_can_be_drawn_and_copied_by_its_drawing():
    batch = GameBatch(GameSettings(name="cleanup", agents=10), 2)
    batch.reset(np.arange(2, dtype=np.uint64))
    rng = np.random.default_rng(0)
    for _ in range(50):
        batch.step(rng.integers(9, size=(2, 10), dtype=np.uint8))
    assert draw_game(batch, 0) != draw_game(batch, 1)
    set_from_drawing(batch, draw_game(batch, 0), np.array([1]))
    assert draw_game(batch, 0) == draw_game(batch, 1)


def test_setting_a_drawing_leaves_step_random_state_and_returns(play):
    batch = drawn_batch("harvest", "######\n#>o.<#\n######")
    play(batch, "forward stay")
    before = batch.state()
    set_from_drawing(batch, "######\n#>,.<#\n######")
    after = batch.state()
    assert (after.episode_step, after.rng_state) == (before.episode_step, before.rng_state)
    assert after.returns.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("drawing", "wrong"),
    [
        ("######\n#>..<#\n######", "row 1, column 2 .*'.' drawn where the map has 'o'"),
        ("######\n#>ow<#\n######", "row 1, column 3 .*'w' drawn where the map has"),
        ("######\n#>ox<#\n######", "row 1, column 3 .*'x' drawn"),
        ("#####\n#>o<#\n#####", "3 rows of 6 columns"),
        ("######\n#>o..#\n######", "1 agents drawn, wanted 2"),
        ("######\n#>o.<#\n######\nagents: 0 2", "2 arrows are drawn, numbered 0 2"),
        ("######\n#>o.<#\n######\nagents: 0 one", "not 'one'"),
        ("######\n#>o.<#\n######\nagents: 0 1w", "'w' drawn where the map has"),
    ],
)
def test_a_drawing_that_does_not_fit_the_game_is_refused(drawing, wrong):
    batch = drawn_batch("harvest", "######\n#>o.<#\n######")
    with pytest.raises(ValueError, match=wrong):
        set_from_drawing(batch, drawing)
