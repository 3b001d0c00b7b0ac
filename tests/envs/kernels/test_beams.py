"""Beams, in drawings: `!` is the fining beam, `:` the cleaning beam, drawn over agents."""

import numpy as np
import pytest
from tests.envs.drawn_batch import drawn_batch

from ssd_envs.drawing import draw_game
from ssd_envs.palette import FINING_BEAM
from ssd_envs.spec import EVENTS

_, FIRES, HITS, CLEANED, _ = range(len(EVENTS))


def test_a_beam_has_three_columns_of_five_cells_and_the_side_columns_start_beside_the_agent(
    play, looks_like
):
    batch = drawn_batch(
        "harvest",
        """
        #########
        #.......#
        #.>.....#
        #.......#
        #^......#
        #########
    """,
    )
    play(batch, "fire stay")
    assert looks_like(
        batch,
        """
        #########
        #.!!!!!.#
        #.>!!!!!#
        #.!!!!!.#
        #^......#
        #########
    """,
        beams=True,
    )


@pytest.mark.parametrize(
    ("arrow", "beam"),
    [
        ("^", "#..!.<# #.!!!.# #.!^!.# #.....# #.....#"),
        (">", "#....<# #..!!.# #..>!!# #..!!.# #.....#"),
        ("v", "#....<# #.....# #.!v!.# #.!!!.# #..!..#"),
        ("<", "#....<# #.!!..# #!!<..# #.!!..# #.....#"),
    ],
)
def test_a_beam_is_fired_along_the_heading(play, looks_like, arrow, beam):
    room = f"#######\n#....<#\n#.....#\n#..{arrow}..#\n#.....#\n#.....#\n#######"
    batch = drawn_batch("harvest", room, beam_length=2)
    play(batch, "stay fire")
    rows = beam.replace(" ", "\n")
    assert looks_like(batch, f"#######\n{rows}\n#######", beams=True)


def test_each_column_stops_before_the_first_wall_in_it(play, looks_like):
    batch = drawn_batch(
        "harvest",
        """
        #########
        ##......#
        #>..#...#
        #..#....#
        #^......#
        #########
    """,
    )
    play(batch, "fire stay")
    assert looks_like(
        batch,
        """
        #########
        ##......#
        #>!!#...#
        #!!#....#
        #^......#
        #########
    """,
        beams=True,
    )


def test_each_column_stops_at_an_agent_and_covers_its_cell(play, looks_like):
    batch = drawn_batch(
        "harvest",
        """
        #########
        #.....<.#
        #>.<.<..#
        #<......#
        #########
    """,
    )
    play(batch, "stay fire stay stay stay")
    assert looks_like(
        batch,
        """
        #########
        #!!!!!<.#
        #>!!.<..#
        #!......#
        #########
    """,
        beams=True,
    )
    assert batch.reward[:, 0].tolist() == [0, -1, -50, 0, -50]
    assert batch.counts[0, 1].tolist() == [0, 1, 2, 0, 0]


def test_firing_costs_the_firer_and_fines_every_agent_hit(play):
    batch = drawn_batch("harvest", "######\n#v...#\n#>..<#\n#^...#\n######", fire_cost=2, fine=30)
    play(batch, "stay fire stay stay")
    assert batch.reward[:, 0].tolist() == [-30, -2, -30, -30]
    assert batch.counts[0, 1, [FIRES, HITS]].tolist() == [1, 3]


def test_an_agent_hit_by_two_beams_is_fined_twice(play):
    batch = drawn_batch("harvest", "#######\n#>.^.<#\n#######")
    play(batch, "fire stay fire")
    assert batch.reward[:, 0].tolist() == [-1, -100, -1]


def test_an_agent_that_is_hit_is_neither_moved_nor_frozen(play, looks_like):
    batch = drawn_batch("harvest", "######\n#>.<.#\n######")
    play(batch, "fire stay")
    play(batch, "stay backward")
    assert looks_like(batch, "######\n#>..<#\n######")


def test_beams_are_fired_after_moves(play):
    batch = drawn_batch("harvest", "#####\n#>..#\n#..^#\n#...#\n#####")
    play(batch, "fire forward")
    assert batch.reward[:, 0].tolist() == [-1, -50]


def test_a_fining_beam_passes_over_waste_and_apples(play, looks_like):
    batch = drawn_batch("cleanup", "########\n#>wow..#\n#.....^#\n########", waste_growth=0.0)
    play(batch, "fire stay")
    assert looks_like(batch, "########\n#>!!!!!#\n#!!!!!^#\n########", beams=True)
    assert looks_like(batch, "########\n#>wow..#\n#.....^#\n########")


def test_a_cleaning_beam_stops_at_the_first_waste_of_each_column_and_cleans_it(play, looks_like):
    batch = drawn_batch(
        "cleanup",
        """
        #########
        #w.w....#
        #>..ww..#
        #.......#
        #w.....^#
        #########
    """,
        waste_growth=0.0,
    )
    play(batch, "clean stay")
    assert looks_like(
        batch,
        """
        #########
        #:.w....#
        #>:::w..#
        #:::::..#
        #w.....^#
        #########
    """,
        beams=True,
    )
    assert looks_like(
        batch,
        """
        #########
        #~.w....#
        #>..~w..#
        #.......#
        #w.....^#
        #########
    """,
    )
    assert batch.counts[0, :, CLEANED].tolist() == [2, 0]
    assert batch.reward[:, 0].tolist() == [0, 0]


def test_a_cleaning_beam_is_absorbed_by_agents_without_effect_on_them(play, looks_like):
    batch = drawn_batch("cleanup", "#######\n#>.<.w#\n#######", waste_growth=0.0)
    play(batch, "clean stay")
    assert looks_like(batch, "#######\n#>::.w#\n#######", beams=True)
    assert batch.reward[:, 0].tolist() == [0, 0]


def test_waste_under_an_agent_in_the_beam_is_cleaned_but_not_waste_behind_it(play, looks_like):
    batch = drawn_batch("cleanup", "#######\n#>.<ww#\n#######\nagents: 0 1w", waste_growth=0.0)
    play(batch, "clean stay")
    assert looks_like(batch, "#######\n#>.<ww#\n#######\nagents: 0 1")


def test_waste_under_the_cleaning_agent_stays(play, looks_like):
    before = "#######\n#>.<..#\n#######\nagents: 0w 1"
    batch = drawn_batch("cleanup", before, waste_growth=0.0)
    play(batch, "clean stay")
    assert looks_like(batch, before)


def test_beams_are_fired_in_a_new_random_order_each_step(play):
    batch = drawn_batch("cleanup", "#####\n#>.<#\n#####", num_games=300)
    last = []
    for _ in range(2):
        play(batch, "fire clean")
        last.append(batch.state().beams[:, 1, 2] == FINING_BEAM)
    assert last[0].sum() == pytest.approx(150, abs=35)
    assert (last[0] == last[1]).sum() == pytest.approx(150, abs=35)


@pytest.mark.parametrize("last", [0, 1, 2])
def test_each_firer_is_the_last_equally_often(play, last):
    batch = drawn_batch("cleanup", "#####\n##v##\n#>.<#\n#####", num_games=900)
    play(batch, " ".join("fire" if k == last else "clean" for k in range(3)))
    assert (batch.state().beams[:, 2, 2] == FINING_BEAM).sum() == pytest.approx(300, abs=57)


def test_a_beam_meets_the_board_as_the_previous_beam_left_it(play, looks_like):
    drawing = "#########\n#>...ww.#\n#.>.....#\n#########"
    batch = drawn_batch("cleanup", drawing, num_games=100, waste_growth=0.0)
    play(batch, "clean clean")
    cleaned = "#########\n#>...~~.#\n#.>.....#\n#########"
    assert all(looks_like(batch, cleaned, game) for game in range(100))
    assert (batch.counts[:, :, CLEANED] == 1).all()


def test_where_beams_overlap_the_last_one_is_shown(play):
    batch = drawn_batch("cleanup", "########\n#>....<#\n########", num_games=60)
    play(batch, "fire clean")
    rows = {draw_game(batch, game, beams=True).splitlines()[1] for game in range(60)}
    assert rows == {"#:::::!#", "#:!!!!!#"}


def test_beams_are_shown_for_one_step(play, looks_like):
    batch = drawn_batch("harvest", "#####\n#>..#\n#..^#\n#####")
    play(batch, "fire stay")
    assert looks_like(batch, "#####\n#>!!#\n#!!!#\n#####", beams=True)
    play(batch, "stay stay")
    assert looks_like(batch, "#####\n#>..#\n#..^#\n#####", beams=True)


def test_a_reset_removes_beams(play):
    batch = drawn_batch("harvest", "#####\n#>..#\n#..^#\n#####")
    play(batch, "fire stay")
    batch.reset(np.ones(1, np.uint64))
    assert not batch.state().beams.any()
