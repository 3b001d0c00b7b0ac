import json

from ssd_envs import bench


def test_every_game_is_measured_with_views_and_without(capsys):
    bench.main(["--games", "2", "--steps", "3", "--repeats", "1", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert [(figure["game"], figure["views"]) for figure in figures] == [
        ("cleanup", True),
        ("cleanup", False),
        ("harvest", True),
        ("harvest", False),
    ]
    assert all(figure["env_steps_per_second"] > 0 for figure in figures)


def test_figures_are_printed_for_people_too(capsys):
    bench.main(["--games", "2", "--steps", "3", "--repeats", "1"])
    assert capsys.readouterr().out.count("env-steps/s") == 4
