"""How apples grow back in Harvest. `o` bears an apple, `,` is bare."""

import numpy as np
import pytest

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw, scene
from ssd_envs.palette import APPLE
from ssd_envs.spec import GameSettings


def orchard(picture, **settings):
    """Three rows of three, and two agents at some distance."""
    top, middle, bottom = picture.split()
    return scene(
        "harvest",
        f"########\n#{top}..v#\n#{middle}...#\n#{bottom}..^#\n########",
        **settings,
    )


@pytest.mark.parametrize(
    ("picture", "near"),
    [
        ("... .,. ...", 0),
        ("o.. .,. ...", 1),
        (".o. .,. ...", 1),
        ("... .,o ...", 1),
        ("o.. .,. ..o", 2),
        ("... o,o ...", 2),
        ("o.o .,. .o.", 3),
        ("ooo o,o ooo", 8),
    ],
)
def test_a_bare_cell_grows_by_how_many_of_its_eight_neighbours_bear_apples(play, picture, near):
    only = tuple(float(apples == near) for apples in range(9))
    never = tuple(1 - chance for chance in only)
    for regrowth, grown in ((only, 1), (never, 0)):
        batch = orchard(picture, regrowth=regrowth)
        before = (batch.state().cells == APPLE).sum()
        play(batch, "stay stay")
        assert (batch.state().cells == APPLE).sum() - before == grown


@pytest.mark.parametrize(
    ("picture", "chance"),
    [
        ("... .,. ...", 0.0),
        ("o.. .,. ...", 0.005),
        ("o.. .,. ..o", 0.02),
        ("o.. .,o ..o", 0.05),
        ("ooo o,o ooo", 0.05),
    ],
    ids=["no neighbours", "one", "two", "three", "all eight: no faster than three"],
)
def test_unless_told_otherwise_apples_grow_by_the_papers_chances(play, picture, chance):
    games = 20_000
    batch = orchard(picture, games=games)
    play(batch, "stay stay")
    grown = (batch.state().cells[:, 2, 2] == APPLE).mean()
    assert grown == pytest.approx(chance, abs=4 * np.sqrt(chance / games))


def test_all_cells_decide_from_the_same_board(play, looks):
    batch = scene("harvest", "#########\n#,,o,,,v#\n#.....v.#\n#########", regrowth=(0.0, 1.0))
    play(batch, "stay stay")
    assert looks(batch, "#########\n#,ooo,,v#\n#.....v.#\n#########")


def test_nothing_grows_under_an_agent(play, looks):
    drawing = "######\n#o>o,#\n#...^#\n######\nagents: 0, 1"
    batch = scene("harvest", drawing, regrowth=(0.0, 1.0))
    play(batch, "stay stay")
    assert looks(batch, "######\n#o>oo#\n#...^#\n######\nagents: 0 1")
    play(batch, "right stay")
    assert looks(batch, "######\n#oooo#\n#.>.^#\n######")


def test_an_apple_eaten_this_step_no_longer_helps_its_neighbours(play, looks):
    batch = scene("harvest", "######\n#,o<.#\n#...^#\n######", regrowth=(0.0, 1.0))
    play(batch, "forward stay")
    assert looks(batch, "######\n#,<..#\n#...^#\n######")


@pytest.mark.parametrize(
    ("radius", "grown"),
    [
        (1, ",,,,, ,,o,, ,ooo, ,,o,, ,,,,,"),
        (2, ",,,,, ,ooo, ,ooo, ,ooo, ,,,,,"),
        (4, ",,o,, ,ooo, ooooo ,ooo, ,,o,,"),
        (5, ",ooo, ooooo ooooo ooooo ,ooo,"),
        (8, "ooooo ooooo ooooo ooooo ooooo"),
    ],
)
def test_the_growth_radius_is_the_largest_squared_distance(play, radius, grown):
    drawing = """
        ########
        #,,,,,.#
        #,,,,,.#
        #,,o,,.#
        #,,,,,.#
        #,,,,,.#
        #....vv#
        ########
    """
    batch = scene("harvest", drawing, regrowth=(0.0, 1.0), growth_radius=radius)
    play(batch, "stay stay")
    rows = draw(batch).splitlines()[1:6]
    assert [row[1:6] for row in rows] == grown.split()


def test_all_apples_are_there_after_a_reset():
    batch = GameBatch(GameSettings(name="harvest"), 3)
    batch.reset(np.arange(3, dtype=np.uint64))
    assert ((batch.state().cells == APPLE) == batch.spec.map.marked("o")).all()


def test_a_map_without_apple_cells_is_a_game_too(play, looks):
    batch = scene("harvest", "####\n#>.#\n#.^#\n####")
    play(batch, "stay stay")
    assert looks(batch, "####\n#>.#\n#.^#\n####")
