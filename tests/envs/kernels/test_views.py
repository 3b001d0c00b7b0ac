"""Views, drawn with one symbol per palette index: letters are agents, `A` is number 0."""

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.batch import GameBatch
from ssd_envs.palette import AGENT, APPLE, EMPTY, FINING_BEAM, MAX_AGENTS
from ssd_envs.spec import GameSettings

SYMBOLS = " #o!:w~ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def seen(batch, agent, radius=7, game=0):
    batch.observe()
    near = slice(7 - radius, 8 + radius)
    return "\n".join(
        "".join(SYMBOLS[index] for index in row) for row in batch.pixels[agent, game, near, near]
    )


@pytest.mark.parametrize(
    ("arrow", "view"),
    [
        ("^", "#####|#B  #|#oA~#|# w #|#####"),
        (">", "#####|# ~ #|# Aw#|#Bo #|#####"),
        ("v", "#####|# w #|#~Ao#|#  B#|#####"),
        ("<", "#####|# oB#|#wA #|# ~ #|#####"),
    ],
)
def test_a_view_is_rotated_so_that_the_heading_points_up(arrow, view):
    batch = drawn_batch("cleanup", f"#####\n#v..#\n#o{arrow}~#\n#.w.#\n#####\nagents: 1 0")
    assert seen(batch, 0, radius=2) == view.replace("|", "\n")


@pytest.mark.parametrize("arrow", "^>v<")
def test_an_agent_is_at_the_center_of_its_view_and_sees_seven_cells_each_way(arrow):
    room = [["."] * 19 for _ in range(19)]
    room[9][9] = arrow
    for row, column in ((2, 2), (2, 16), (16, 2), (16, 16), (1, 9), (9, 17)):
        room[row][column] = "o"
    room[1][1] = ">"
    rows = "\n".join(f"#{''.join(row)}#" for row in room)
    batch = drawn_batch("harvest", f"{'#' * 21}\n{rows}\n{'#' * 21}\nagents: 1 0")
    batch.observe()
    apples = np.argwhere(batch.pixels[0, 0] == APPLE).tolist()
    assert apples == [[0, 0], [0, 14], [14, 0], [14, 14]]
    assert batch.pixels[0, 0, 7, 7] == AGENT
    assert (batch.pixels[0, 0] == AGENT + 1).sum() == 0


def test_cells_beyond_the_board_are_black():
    batch = drawn_batch("harvest", "####\n#^v#\n####")
    batch.observe()
    view = batch.pixels[0, 0]
    assert [SYMBOLS[index] for index in view[7, 5:10]] == list(" #AB#")
    assert (view[:6] == EMPTY).all()
    assert (view[9:] == EMPTY).all()
    assert (view[:, :6] == EMPTY).all()
    assert (view[:, 10:] == EMPTY).all()


def test_agents_are_drawn_over_contents_and_beams_over_agents(play):
    batch = drawn_batch(
        "cleanup", "#####\n#w^.#\n#.w.#\n##v##\n#####\nagents: 0w 1", waste_growth=0.0
    )
    assert seen(batch, 0, radius=2) == "     \n#####\n#wA #\n# w #\n##B##"
    play(batch, "stay turn_clockwise")
    play(batch, "turn_clockwise turn_clockwise")
    assert seen(batch, 1, radius=2) == "#wA #\n# w #\n##B##\n#####\n     "
    play(batch, "stay fire")
    assert seen(batch, 1, radius=2) == "#w! #\n# ! #\n##B##\n#####\n     "


def test_a_beam_is_seen_in_the_observation_of_its_step_and_in_no_other(play):
    batch = drawn_batch("harvest", "#######\n#>...<#\n#######")
    play(batch, "fire stay")
    for _ in range(2):
        batch.observe()
        assert (batch.pixels == FINING_BEAM).sum(axis=(1, 2, 3)).tolist() == [4, 4]
    play(batch, "stay stay")
    batch.observe()
    assert not (batch.pixels == FINING_BEAM).any()


def test_the_firers_own_cell_is_not_covered_by_its_beam(play):
    batch = drawn_batch("harvest", "#####\n#...#\n#.^.#\n#v..#\n#####")
    play(batch, "fire stay")
    assert seen(batch, 0, radius=1) == "!!!\n!A!\nB  "


def test_growth_of_a_step_is_seen_in_its_observation(play):
    batch = drawn_batch("harvest", "#####\n#o,.#\n#...#\n#v^.#\n#####", regrowth=(0.0, 1.0))
    play(batch, "stay stay")
    assert seen(batch, 1, radius=2) == "#oo #\n#   #\n#AB #\n#####\n     "


def test_growth_under_a_beam_is_seen_when_the_beam_is_gone(play):
    batch = drawn_batch("harvest", "#####\n#o,.#\n#...#\n#v^.#\n#####", regrowth=(0.0, 1.0))
    play(batch, "stay fire")
    assert seen(batch, 1, radius=2) == "#o!!#\n# !!#\n#!B!#\n#####\n     "
    play(batch, "stay stay")
    assert seen(batch, 1, radius=2) == "#oo #\n#   #\n#AB #\n#####\n     "


def test_the_first_view_after_a_reset_shows_the_agents():
    batch = GameBatch(GameSettings(name="harvest"), 4)
    batch.reset(np.arange(4, dtype=np.uint64))
    batch.observe()
    assert (batch.pixels[:, :, 7, 7] == AGENT + np.arange(5)[:, None]).all()


@pytest.mark.parametrize(
    ("gap", "sees"), [(6, True), (7, False)], ids=["seven cells away", "eight cells away"]
)
@pytest.mark.parametrize("upright", [False, True], ids=["along a row", "along a column"])
def test_an_agent_sees_the_agents_in_its_window(gap, sees, upright):
    line = f"<{'.' * gap}<"
    room = "\n".join(f"#{symbol}#" for symbol in line) if upright else f"#{line}#"
    edge = "###" if upright else "#" * (len(line) + 2)
    batch = drawn_batch("harvest", f"{edge}\n{room}\n{edge}")
    batch.observe()
    assert batch.visible[:, 0].tolist() == [[True, sees], [sees, True]]


def test_walls_do_not_hide_agents():
    batch = drawn_batch("harvest", "#####\n#<#<#\n#####")
    batch.observe()
    assert batch.visible.all()


def test_agents_from_number_10_on_act_and_are_drawn_like_the_others(play):
    batch = GameBatch(GameSettings(name="harvest", agents=20), 1)
    batch.reset(np.zeros(1, np.uint64))
    batch.observe()
    assert (batch.pixels[:, 0, 7, 7] == AGENT + np.arange(20)).all()
    before = batch.state()
    play(batch, " ".join("turn_clockwise" if k == 10 else "stay" for k in range(20)))
    turned = (batch.state().headings - before.headings) % 4
    assert turned[0].tolist() == [int(k == 10) for k in range(20)]


def test_a_game_can_have_as_many_agents_as_the_palette():
    rows = "\n".join(f"#{'+' * 25}#" for _ in range(10))
    game_map = f"{'#' * 27}\n{rows}\n{'#' * 27}"
    batch = GameBatch(GameSettings(name="harvest", agents=MAX_AGENTS, map=game_map), 1)
    batch.reset(np.zeros(1, np.uint64))
    batch.step(np.random.default_rng(0).integers(7, size=(1, MAX_AGENTS), dtype=np.uint8))
    batch.observe()
    assert (batch.pixels[:, 0, 7, 7] == AGENT + np.arange(MAX_AGENTS)).all()
