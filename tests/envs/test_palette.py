import numpy as np
import pytest

from ssd_envs.palette import AGENT, MAX_AGENTS, make_palette


@pytest.mark.parametrize(
    ("colour", "index"),
    [
        ((0, 0, 0), 0),
        ((180, 180, 180), 1),
        ((0, 255, 0), 2),
        ((255, 255, 0), 3),
        ((100, 255, 255), 4),
        ((99, 156, 194), 5),
        ((113, 75, 24), 6),
        ((0, 0, 255), AGENT),
        ((2, 81, 154), AGENT + 1),
        ((204, 0, 204), AGENT + 2),
        ((216, 30, 54), AGENT + 3),
        ((254, 151, 0), AGENT + 4),
        ((160, 255, 100), AGENT + 5),
        ((99, 99, 255), AGENT + 6),
        ((250, 204, 255), AGENT + 7),
        ((238, 223, 16), AGENT + 8),
    ],
)
def test_board_contents_and_the_first_nine_agents_have_their_published_colours(colour, index):
    assert tuple(make_palette(9)[index]) == colour


def test_all_colours_of_the_largest_palette_differ_clearly():
    palette = make_palette(MAX_AGENTS)
    assert palette.shape == (256, 3)
    apart = np.abs(palette[:, None].astype(int) - palette).max(-1) + 255 * np.eye(256, dtype=int)
    assert apart.min() >= 16


def test_an_agents_colour_does_not_depend_on_how_many_there_are():
    assert np.array_equal(make_palette(30)[: AGENT + 12], make_palette(12))


def test_more_agents_than_the_palette_holds_are_refused():
    with pytest.raises(ValueError, match="0 to 249 agents, not 250"):
        make_palette(MAX_AGENTS + 1)
