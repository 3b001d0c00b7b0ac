"""Beams, drawn: `!` is the fining beam and `:` the cleaning beam, over agents over contents."""

import numpy as np
import pytest

from ssd_envs.drawing import draw, scene
from ssd_envs.palette import FINING_BEAM
from ssd_envs.spec import EVENTS

_, FIRES, HITS, CLEANED, _ = range(len(EVENTS))


def test_a_beam_is_three_columns_of_five_the_side_ones_level_with_the_agent(play, looks):
    batch = scene(
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
    assert looks(
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
def test_a_beam_goes_where_the_agent_heads(play, looks, arrow, beam):
    room = f"#######\n#....<#\n#.....#\n#..{arrow}..#\n#.....#\n#.....#\n#######"
    batch = scene("harvest", room, beam_length=2)
    play(batch, "stay fire")
    rows = beam.replace(" ", "\n")
    assert looks(batch, f"#######\n{rows}\n#######", beams=True)


def test_each_column_stops_before_a_wall_of_its_own(play, looks):
    batch = scene(
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
    assert looks(
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


def test_each_column_stops_at_an_agent_and_covers_its_cell(play, looks):
    batch = scene(
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
    assert looks(
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


def test_firing_costs_the_firer_and_fines_everyone_hit(play):
    batch = scene("harvest", "######\n#v...#\n#>..<#\n#^...#\n######", fire_cost=2, fine=30)
    play(batch, "stay fire stay stay")
    assert batch.reward[:, 0].tolist() == [-30, -2, -30, -30]
    assert batch.counts[0, 1, [FIRES, HITS]].tolist() == [1, 3]


def test_each_beam_that_hits_fines_again(play):
    batch = scene("harvest", "#######\n#>.^.<#\n#######")
    play(batch, "fire stay fire")
    assert batch.reward[:, 0].tolist() == [-1, -100, -1]


def test_nobody_is_moved_or_stopped_by_a_hit(play, looks):
    batch = scene("harvest", "######\n#>.<.#\n######")
    play(batch, "fire stay")
    play(batch, "stay backward")
    assert looks(batch, "######\n#>..<#\n######")


def test_beams_fly_after_moves(play):
    batch = scene("harvest", "#####\n#>..#\n#..^#\n#...#\n#####")
    play(batch, "fire forward")
    assert batch.reward[:, 0].tolist() == [-1, -50]


def test_a_fining_beam_passes_over_waste_and_apples(play, looks):
    batch = scene("cleanup", "########\n#>wow..#\n#.....^#\n########", waste_growth=0.0)
    play(batch, "fire stay")
    assert looks(batch, "########\n#>!!!!!#\n#!!!!!^#\n########", beams=True)
    assert looks(batch, "########\n#>wow..#\n#.....^#\n########")


def test_a_cleaning_beam_stops_at_the_first_waste_of_each_column_and_cleans_it(play, looks):
    batch = scene(
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
    assert looks(
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
    assert looks(
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


def test_a_cleaning_beam_is_absorbed_by_agents_without_effect_on_them(play, looks):
    batch = scene("cleanup", "#######\n#>.<.w#\n#######", waste_growth=0.0)
    play(batch, "clean stay")
    assert looks(batch, "#######\n#>::.w#\n#######", beams=True)
    assert batch.reward[:, 0].tolist() == [0, 0]


def test_waste_under_an_agent_in_the_way_is_cleaned_but_not_what_is_behind(play, looks):
    batch = scene("cleanup", "#######\n#>.<ww#\n#######\nagents: 0 1w", waste_growth=0.0)
    play(batch, "clean stay")
    assert looks(batch, "#######\n#>.<ww#\n#######\nagents: 0 1")


def test_waste_under_the_cleaner_is_left(play, looks):
    before = "#######\n#>.<..#\n#######\nagents: 0w 1"
    batch = scene("cleanup", before, waste_growth=0.0)
    play(batch, "clean stay")
    assert looks(batch, before)


def test_beams_fly_in_an_order_that_is_drawn_anew_each_step(play):
    batch = scene("cleanup", "#####\n#>.<#\n#####", games=300)
    last = []
    for _ in range(2):
        play(batch, "fire clean")
        last.append(batch.state().beams[:, 1, 2] == FINING_BEAM)
    assert last[0].sum() == pytest.approx(150, abs=35)
    assert (last[0] == last[1]).sum() == pytest.approx(150, abs=35)


@pytest.mark.parametrize("last", [0, 1, 2])
def test_each_firer_is_the_last_equally_often(play, last):
    batch = scene("cleanup", "#####\n##v##\n#>.<#\n#####", games=900)
    play(batch, " ".join("fire" if k == last else "clean" for k in range(3)))
    assert (batch.state().beams[:, 2, 2] == FINING_BEAM).sum() == pytest.approx(300, abs=57)


def test_a_beam_sees_what_the_one_before_it_changed(play, looks):
    drawing = "#########\n#>...ww.#\n#.>.....#\n#########"
    batch = scene("cleanup", drawing, games=100, waste_growth=0.0)
    play(batch, "clean clean")
    cleaned = "#########\n#>...~~.#\n#.>.....#\n#########"
    assert all(looks(batch, cleaned, game) for game in range(100))
    assert (batch.counts[:, :, CLEANED] == 1).all()


def test_where_beams_overlap_the_last_one_fired_shows(play):
    batch = scene("cleanup", "########\n#>....<#\n########", games=60)
    play(batch, "fire clean")
    rows = {draw(batch, game, beams=True).splitlines()[1] for game in range(60)}
    assert rows == {"#:::::!#", "#:!!!!!#"}


def test_beams_are_over_after_one_observation(play, looks):
    batch = scene("harvest", "#####\n#>..#\n#..^#\n#####")
    play(batch, "fire stay")
    assert looks(batch, "#####\n#>!!#\n#!!!#\n#####", beams=True)
    play(batch, "stay stay")
    assert looks(batch, "#####\n#>..#\n#..^#\n#####", beams=True)


def test_no_beam_outlives_a_reset(play):
    batch = scene("harvest", "#####\n#>..#\n#..^#\n#####")
    play(batch, "fire stay")
    batch.reset(np.ones(1, np.uint64))
    assert not batch.state().beams.any()
