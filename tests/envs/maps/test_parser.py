import numpy as np
import pytest

from ssd_envs.maps.game_map import GameMap
from ssd_envs.maps.parser import parse_map, read_drawing
from ssd_envs.spec import GameSettings, game_spec


@pytest.mark.parametrize(
    ("drawing", "row", "column", "wrong"),
    [
        ("####\n#++#\n###", 2, 3, "3 columns where row 0 has 4"),
        ("####\n#++##\n####", 1, 4, "5 columns where row 0 has 4"),
        ("####\n\n####", 1, 0, "0 columns where row 0 has 4"),
        ("####\n#+x#\n####", 1, 2, "unknown symbol 'x'"),
        ("####\n#+ #\n####", 1, 2, "unknown symbol ' '"),
        ("####\n#++.\n####", 1, 3, "border must be wall"),
        ("####\n.++#\n####", 1, 0, "border must be wall"),
        ("#.##\n#++#\n####", 0, 1, "border must be wall"),
        ("####\n#++#\n##+#", 2, 2, "border must be wall"),
    ],
    ids=[
        "short row",
        "long row",
        "missing row",
        "unknown symbol",
        "hole",
        "open right",
        "open left",
        "open top",
        "open bottom",
    ],
)
def test_an_invalid_drawing_is_refused_with_its_row_and_column(drawing, row, column, wrong):
    with pytest.raises(ValueError, match=f"row {row}, column {column} .*{wrong}") as refused:
        parse_map(drawing, "#.+o", agents=2)
    shown = drawing.split("\n")[row]
    assert f"\n    {shown}\n    {' ' * column}^" in str(refused.value)


def test_an_empty_drawing_is_refused():
    with pytest.raises(ValueError, match="empty"):
        parse_map("\n\n", "#.+o", agents=2)


def test_every_agent_needs_a_spawn_cell():
    with pytest.raises(ValueError, match=r"2 spawn cells \('\+'\), but needs 3"):
        parse_map("####\n#++#\n####", "#.+o", agents=3)


def test_a_symbol_of_another_game_is_refused():
    river = "#####\n#++~#\n#####"
    assert GameSettings(name="cleanup", agents=2, map=river).map == river
    with pytest.raises(ValueError, match=r"row 1, column 3 .*unknown symbol '~'.*has # \. \+ o"):
        GameSettings(name="harvest", agents=2, map=river)


def test_indentation_and_blank_lines_around_a_drawing_are_dropped():
    drawing = """

        ####
        #++#
        ####
    """
    assert parse_map(drawing, "#+", agents=2).rows == ("####", "#++#", "####")
    assert read_drawing(drawing) == "####\n#++#\n####"


def test_a_map_may_be_a_path_object_and_its_byte_order_mark_is_dropped(tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("####\n#++#\n####\n", encoding="utf-8-sig")
    assert GameSettings(name="harvest", agents=2, map=path).map == "####\n#++#\n####"
    marked = path.read_text(encoding="utf-8")
    assert marked.startswith("\ufeff")
    assert GameSettings(name="harvest", agents=2, map=marked).map == "####\n#++#\n####"


def test_a_map_may_be_a_text_file_which_is_read_at_once(tmp_path):
    path = tmp_path / "room.txt"
    path.write_text("#####\n#+o+#\n#####\n")
    settings = GameSettings(name="harvest", agents=2, map=str(path))
    path.unlink()
    assert game_spec(settings).map.rows == ("#####", "#+o+#", "#####")
    assert GameSettings.model_validate(settings.model_dump()) == settings


def test_a_missing_map_file_is_refused_with_its_name():
    with pytest.raises(ValueError, match=r"cannot read 'nowhere\.txt'"):
        GameSettings(name="harvest", map="nowhere.txt")


@pytest.mark.parametrize(
    ("name", "height", "width", "counts"),
    [
        ("cleanup", 25, 18, {"o": 103, "~w": 119, "w": 56, "=": 12, "+": 10}),
        ("harvest", 16, 38, {"o": 155, "+": 20}),
        ("cleanup-small", 10, 8, {"o": 18, "~w": 18, "w": 8, "=": 0, "+": 6}),
        ("harvest-small", 9, 11, {"o": 31, "+": 5}),
        ("box-trapped", 7, 11, {"o": 6, "D": 1, "0": 1, "1": 1}),
    ],
)
def test_the_built_in_maps_have_their_published_sizes(name, height, width, counts):
    game_map = game_spec(GameSettings(name=name)).map
    assert (game_map.height, game_map.width) == (height, width)
    assert {symbols: game_map.mask(symbols).sum() for symbols in counts} == counts


@pytest.mark.parametrize(
    ("drawing", "wrong"),
    [
        ("#####\n#1D.#\n#####", r"0 cells where agent 0 starts \('0'\), but needs 1"),
        ("#####\n#0D.#\n#####", r"0 cells where agent 1 starts \('1'\), but needs 1"),
        ("######\n#1D00#\n######", r"2 cells where agent 0 starts \('0'\), but needs 1"),
        ("#####\n#1#0#\n#####", r"0 doors \('D'\), but needs 1"),
        ("######\n#1DD0#\n######", r"2 doors \('D'\), but needs 1"),
        ("#####\n#1D0#\n#...#\n#####", "row 1, column 1 .*agent 1 is not in a closed box"),
        (
            "#####\n##D##\n#1#0#\n#####",
            "row 2, column 1 .*agent 1 cannot reach agent 0 through the door",
        ),
        ("######\n#1oD0#\n######", "row 1, column 1 .*agent 1 has apples in its box"),
        ("#####\n#1D+#\n#####", r"unknown symbol '\+'; this game has # \. o D 0 1"),
    ],
    ids=[
        "no free agent",
        "no trapped agent",
        "two places for one",
        "no door",
        "two doors",
        "a way round the door",
        "a door to nowhere",
        "apples in the box",
        "spawn cell",
    ],
)
def test_a_box_has_one_door_and_agent_1_in_it_and_agent_0_outside(drawing, wrong):
    with pytest.raises(ValueError, match=wrong):
        GameSettings(name="box-trapped", map=drawing)


def test_start_positions_are_the_spawn_cells_in_reading_order_or_the_numbered_cells_by_number():
    assert GameMap(("#####", "#+.+#", "##+##", "#####")).start_positions().tolist() == [
        [1, 1],
        [1, 3],
        [2, 2],
    ]
    assert GameMap(("#####", "#1D0#", "#####")).start_positions().tolist() == [[1, 3], [1, 1]]


def test_the_mask_of_a_symbol_is_true_where_it_is_drawn():
    marked = GameMap(("###", "#o#", "###")).mask("o")
    assert np.argwhere(marked).tolist() == [[1, 1]]
