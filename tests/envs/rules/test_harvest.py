"""Regrowth of apples in Harvest. `o` is an apple cell with an apple, `,` one without."""

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.batch import GameBatch
from ssd_envs.drawing import draw_game
from ssd_envs.palette import APPLE
from ssd_envs.spec import GameSettings


def orchard(picture, **settings):
    """A batch with three rows of three cells as in the picture, and two agents to the right."""
    top, middle, bottom = picture.split()
    return drawn_batch(
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
def test_regrowth_depends_on_the_number_of_apples_among_the_eight_neighbours(play, picture, near):
    only = tuple(float(apples == near) for apples in range(9))
    never = tuple(1 - probability for probability in only)
    for regrowth, grown in ((only, 1), (never, 0)):
        batch = orchard(picture, regrowth=regrowth)
        before = (batch.state().contents == APPLE).sum()
        play(batch, "stay stay")
        assert (batch.state().contents == APPLE).sum() - before == grown


@pytest.mark.parametrize(
    ("picture", "probability"),
    [
        ("... .,. ...", 0.0),
        ("o.. .,. ...", 0.005),
        ("o.. .,. ..o", 0.02),
        ("o.. .,o ..o", 0.05),
        ("ooo o,o ooo", 0.05),
    ],
    ids=["no neighbours", "one", "two", "three", "all eight: no faster than three"],
)
def test_by_default_apples_regrow_with_the_papers_probabilities(play, picture, probability):
    games = 20_000
    batch = orchard(picture, num_games=games)
    play(batch, "stay stay")
    grown = (batch.state().contents[:, 2, 2] == APPLE).mean()
    assert grown == pytest.approx(probability, abs=4 * np.sqrt(probability / games))


def test_all_cells_decide_from_the_same_board(play, looks_like):
    batch = drawn_batch(
        "harvest", "#########\n#,,o,,,v#\n#.....v.#\n#########", regrowth=(0.0, 1.0)
    )
    play(batch, "stay stay")
    assert looks_like(batch, "#########\n#,ooo,,v#\n#.....v.#\n#########")


def test_nothing_grows_under_an_agent(play, looks_like):
    drawing = "######\n#o>o,#\n#...^#\n######\nagents: 0, 1"
    batch = drawn_batch("harvest", drawing, regrowth=(0.0, 1.0))
    play(batch, "stay stay")
    assert looks_like(batch, "######\n#o>oo#\n#...^#\n######\nagents: 0 1")
    play(batch, "right stay")
    assert looks_like(batch, "######\n#oooo#\n#.>.^#\n######")


def test_an_apple_eaten_in_this_step_does_not_count_for_regrowth(play, looks_like):
    batch = drawn_batch("harvest", "######\n#,o<.#\n#...^#\n######", regrowth=(0.0, 1.0))
    play(batch, "forward stay")
    assert looks_like(batch, "######\n#,<..#\n#...^#\n######")


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
    batch = drawn_batch("harvest", drawing, regrowth=(0.0, 1.0), growth_radius=radius)
    play(batch, "stay stay")
    rows = draw_game(batch).splitlines()[1:6]
    assert [row[1:6] for row in rows] == grown.split()


def test_after_a_reset_all_apple_cells_have_apples():
    batch = GameBatch(GameSettings(name="harvest"), 3)
    batch.reset(np.arange(3, dtype=np.uint64))
    assert ((batch.state().contents == APPLE) == batch.spec.map.mask("o")).all()


def test_a_map_without_apple_cells_can_be_played(play, looks_like):
    batch = drawn_batch("harvest", "####\n#>.#\n#.^#\n####")
    play(batch, "stay stay")
    assert looks_like(batch, "####\n#>.#\n#.^#\n####")
