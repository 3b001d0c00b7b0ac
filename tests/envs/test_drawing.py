import numpy as np
import pytest

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw, scene, stage
from ssd_envs.spec import GameSettings


def test_a_drawing_reads_back_as_it_was_drawn():
    drawing = "########\n#>.o,w~#\n#=..v..#\n########\nagents: 1 0"
    assert draw(scene("cleanup", drawing)) == drawing


def test_an_agent_on_waste_is_drawn_so():
    drawing = "#####\n#>w.#\n#.~^#\n#####\nagents: 1w 0"
    assert draw(scene("cleanup", drawing)) == drawing


def test_a_door_is_drawn_shut_or_open_and_an_agent_in_it_too():
    for door in "Dd":
        drawing = f"#####\n#>{door}^#\n#####\nagents: 1 0"
        assert draw(scene("box-trapped", drawing)) == drawing
    batch = scene("box-trapped", "######\n#>Do<#\n######\nagents: 1 0")
    for drawing in ("######\n#.>,<#\n######\nagents: 1 0", "######\n#.d<>#\n######\nagents: 1 0"):
        stage(batch, drawing)
        assert draw(batch) == drawing


def test_any_game_underway_can_be_drawn_and_staged_elsewhere():
    batch = GameBatch(GameSettings(name="cleanup", agents=10), 2)
    batch.reset(np.arange(2, dtype=np.uint64))
    luck = np.random.default_rng(0)
    for _ in range(50):
        batch.step(luck.integers(9, size=(2, 10), dtype=np.uint8))
    assert draw(batch, 0) != draw(batch, 1)
    stage(batch, draw(batch, 0), np.array([1]))
    assert draw(batch, 0) == draw(batch, 1)


def test_staging_leaves_clock_luck_and_accounts(play):
    batch = scene("harvest", "######\n#>o.<#\n######")
    play(batch, "forward stay")
    before = batch.state()
    stage(batch, "######\n#>,.<#\n######")
    after = batch.state()
    assert (after.clock, after.random) == (before.clock, before.random)
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
    batch = scene("harvest", "######\n#>o.<#\n######")
    with pytest.raises(ValueError, match=wrong):
        stage(batch, drawing)
