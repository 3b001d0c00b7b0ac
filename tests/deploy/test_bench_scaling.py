"""Runs of many sizes: which there are, what is kept of them, and that they can be drawn."""

import csv

import pytest

from ssd_lab.bench.scaling import ARENAS, SIZES, Point, studies, write
from ssd_lab.bench.scaling_picture import draw
from ssd_lab.plan import validate
from ssd_lab.presets import load_preset


def points():
    return [
        Point(preset, size, value, 1000.0 * value, 2.5, 900.0, 1.0, 20.0, 30.0)
        for preset in ("cleanup-moa", "cleanup-a3c")
        for size, values in SIZES.items()
        for value in values
    ]


def test_one_size_is_changed_at_a_time_and_all_else_is_the_presets():
    made = list(studies(["cleanup-moa"], list(SIZES), seconds=5, warmup=1))
    assert [(size, value) for _, size, value in made] == [
        (size, value) for size, values in SIZES.items() for value in values
    ]
    for study, size, value in made:
        assert study.arenas == (value if size == ARENAS else 1)
        assert study.assignments == (() if size == ARENAS else (f"{size}={value}",))
    agents = [study.plan.game.agents for study, size, _ in made if size == "game.agents"]
    assert agents == list(SIZES["game.agents"])


def test_the_presets_own_sizes_are_among_those_measured():
    run = validate(load_preset("cleanup-moa")).run
    assert run.games in SIZES["run.games"]
    assert run.lanes in SIZES["run.lanes"]
    assert run.segment in SIZES["run.segment"]


def test_the_table_has_a_line_for_every_point(tmp_path):
    write(points(), tmp_path / "sizes.csv")
    with (tmp_path / "sizes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(points())
    assert rows[0]["size"] == "run.games"
    assert float(rows[0]["agent_steps_per_second"]) == pytest.approx(16_000)


@pytest.mark.parametrize("sizes", [list(SIZES), ["arenas"]])
def test_every_size_has_a_column_in_the_picture(tmp_path, sizes):
    chosen = [point for point in points() if point.size in sizes]
    draw(chosen, tmp_path / "sizes.png")
    assert (tmp_path / "sizes.png").read_bytes().startswith(b"\x89PNG")
