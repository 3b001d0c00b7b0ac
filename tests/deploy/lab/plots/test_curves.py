"""Learning curves: windows of 100 full-length episodes with their 99.5 % confidence intervals."""

import csv
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from ssd_lab.plots.curve_figure import _measures, draw
from ssd_lab.plots.curve_windows import best, curve, interval, moa_margin
from ssd_lab.plots.curves import main

HORIZON = 30


def make_run(folder, returns, lengths=None):
    """A run directory whose episodes ended one second apart with these returns."""
    (folder / "episodes").mkdir(parents=True)
    (folder / "run.toml").write_text(
        f'[preset]\nname = "harvest-moa"\n[run]\nseed = 4\n'
        f'[game]\nname = "harvest"\nhorizon = {HORIZON}\n'
    )
    lengths = lengths or [HORIZON] * len(returns)
    with (folder / "episodes" / "arena-0.jsonl").open("w") as file:
        for time, (value, length) in enumerate(zip(returns, lengths, strict=True)):
            line = {"time": time, "length": length, "collective_return": value, "equality": None}
            line["returns"] = [value / 2, value / 2]
            line["counts"] = {"apples": [3, 4], "cleaned": [0, time % 2], "fires": [1, 0]}
            file.write(json.dumps(line) + "\n")
    with (folder / "metrics.jsonl").open("w") as file:
        for time in range(0, len(returns), 10):
            said = {"moa_loss_nats": [1.0, 3.0], "influence_nats": [None, None]}
            said |= {"moa_marginal_entropy_nats": [2.0, 2.0], "moa_margin_nats": [1.0, -1.0]}
            line = {"time": time, "own_steps": [1000 * time, 1200 * time], **said}
            file.write(json.dumps(line) + "\n")
    return folder


def test_an_interval_is_two_and_eight_tenths_standard_errors_wide_on_either_side():
    mean, low, high = interval([1.0, 3.0] * 50)
    standard_error = (100 / 99) ** 0.5 / 10
    assert mean == 2
    assert high - mean == pytest.approx(2.807 * standard_error, rel=1e-4)
    assert mean - low == pytest.approx(high - mean)


def test_a_window_is_a_hundred_full_episodes_and_shorter_ones_do_not_count(tmp_path):
    run = make_run(tmp_path / "run", [5.0] * 100 + [999.0], [HORIZON] * 100 + [HORIZON - 1])
    (point,) = curve(run)
    assert (point.collective_return, point.low, point.high) == (5.0, 5.0, 5.0)
    assert (point.run, point.preset, point.seed) == ("run", "harvest-moa", 4)


def test_a_window_has_the_mean_counts_per_episode(tmp_path):
    (point,) = curve(make_run(tmp_path / "run", [5.0] * 100))
    assert (point.apples, point.cleaned, point.cleaned_most, point.fires) == (7.0, 0.5, 0.5, 1.0)


def test_the_steps_of_a_window_are_interpolated_between_records(tmp_path):
    points = curve(make_run(tmp_path / "run", [5.0] * 200), every=5)
    assert [point.own_steps for point in points[:3]] == [1100 * 99, 1100 * 104, 1100 * 109]
    assert [point.agent_steps for point in points[:2]] == [2200 * 99, 2200 * 104]
    assert points[0].moa_loss_nats == 2.0
    assert points[0].influence_nats is None


def test_a_run_without_records_has_no_windows(tmp_path):
    run = make_run(tmp_path / "run", [5.0] * 100)
    (run / "metrics.jsonl").write_text("")
    assert curve(run) == []


def test_without_ssd_train_the_steps_of_a_window_are_those_of_the_episodes_played_until_then(
    tmp_path,
):
    run = make_run(tmp_path / "run", [5.0] * 101, [HORIZON // 2] + [HORIZON] * 100)
    (run / "metrics.jsonl").unlink()
    (point,) = curve(run)
    assert point.own_steps == HORIZON // 2 + 100 * HORIZON
    assert point.agent_steps == 2 * point.own_steps
    assert (point.collective_return, point.apples, point.moa_margin_nats) == (5.0, 7.0, None)


def test_the_margin_is_each_agents_own_over_the_last_half_of_the_records(tmp_path):
    run = make_run(tmp_path / "run", [5.0] * 100)
    with (run / "metrics.jsonl").open("w") as file:
        for number in range(40):
            early, odd = number < 20, number % 2
            margins = [9.0 if early else 0.5 + odd, None if odd else -0.25, None]
            line = {"time": number, "own_steps": [0, 0, 0], "moa_margin_nats": margins}
            file.write(json.dumps(line) + "\n")
    assert moa_margin(run) == [1.0, -0.25, None]


@pytest.mark.parametrize("said", ["", ', "moa_margin_nats": [null]'])
def test_a_run_without_a_moa_has_no_margin(tmp_path, said):
    run = make_run(tmp_path / "run", [5.0] * 100)
    (run / "metrics.jsonl").write_text(f'{{"time": 1, "own_steps": [0]{said}}}\n')
    assert set(moa_margin(run)) <= {None}
    assert "MOA" not in CliRunner().invoke(main, [str(run)]).output


def test_the_interval_is_shown_of_the_last_window_and_never_of_the_best(tmp_path):
    run = make_run(tmp_path / "run", [8.0, 6.0] * 50 + [2.0, 4.0] * 50)
    output = CliRunner().invoke(main, [str(run)]).output
    assert "last window 3.0 [2.7, 3.3] at" in output
    assert "best of 5 7.0 at" in output
    assert output.count("[") == 1


def test_the_best_window_is_the_one_with_the_highest_return(tmp_path):
    points = curve(make_run(tmp_path / "run", [0.0] * 100 + [8.0] * 100 + [2.0] * 100))
    assert best(points).collective_return == 8.0
    assert points[-1].collective_return == 2.0


def test_curves_are_written_as_a_table_and_as_a_figure(tmp_path):
    runs = [make_run(tmp_path / name, [5.0, 7.0] * 75) for name in ("a", "b")]
    table, picture = tmp_path / "curves.csv", tmp_path / "curves.png"

    command = [*map(str, runs), "--csv", str(table), "--png", str(picture), "--reference", "6"]
    outcome = CliRunner().invoke(main, command)

    assert outcome.exit_code == 0, outcome.output
    assert "a: harvest-moa, seed 4: last window 6.0" in outcome.output
    assert "MOA margin of each agent in the last half 1.000, -1.000 nats" in outcome.output
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["collective_return"] for row in rows] == ["6.0"] * 6
    assert [row["run"] for row in rows] == ["a"] * 3 + ["b"] * 3
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "missing",
    [
        {},
        {"cleaned": 0.0},
        {"cleaned": 0.0, "moa_margin_nats": None},
        {"cleaned": 0.0, "moa_margin_nats": None, "influence_nats": None},
    ],
    ids=["Cleanup, with a MOA", "Harvest, with a MOA", "basic influence", "no influence"],
)
def test_a_figure_has_the_panels_that_its_runs_have_numbers_for(tmp_path, missing):
    points = curve(make_run(tmp_path / "run", [5.0, 7.0] * 75))
    picture = tmp_path / "curves.png"
    given = [replace(point, **({"influence_nats": 0.1} | missing)) for point in points]
    assert len(_measures([given])) == 4 - sum(
        value is None or value == 0 for value in missing.values()
    )
    draw(picture, [given], None)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_run_with_too_few_episodes_is_an_error(tmp_path):
    outcome = CliRunner().invoke(main, [str(make_run(tmp_path / "run", [1.0] * 99))])
    assert outcome.exit_code == 78
    assert "wanted 100 full-length episodes" in outcome.output
