"""What `ssd-bench` keeps of a bench, and how it compares two."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from ssd_bench.cli import main
from ssd_bench.results.rows import Result, Row, read
from ssd_bench.results.table import changes, missing, show

MACHINE = {"cpu": "a", "cores": 2}


def result(*rows):
    return Result(machine=MACHINE, settings={"repeats": 3}, rows=rows)


def row(name, *samples, **more):
    return Row(name=name, samples=samples, **more)


@pytest.fixture
def full():
    return result(
        row("torch/x", 100.0, 101.0, 99.0),
        row("part/x", 40.0, 50.0, 60.0, ceiling="torch/x", also={"messages/s": (4.0, 5.0, 6.0)}),
        row("sgemm", 90.0, unit="GFLOP"),
    )


def test_a_result_file_reads_back_as_it_was_written(full, tmp_path):
    full.write(tmp_path / "bench.json")
    assert read(tmp_path / "bench.json") == full


def test_a_row_has_the_median_and_the_spread_of_its_samples():
    one = row("a", 40.0, 70.0, 50.0)
    assert one.rate == 50
    assert one.spread == pytest.approx(30 / 50)


def test_a_share_is_the_ratio_to_the_ceilings_median(full):
    assert {row.name: full.share(row) for row in full.rows} == {
        "torch/x": None,
        "part/x": 0.5,
        "sgemm": None,
    }


def test_a_row_whose_ceiling_was_not_measured_has_no_share():
    part = row("part/x", 40.0, ceiling="torch/x")
    assert result(part).share(part) is None


def test_a_ratio_above_one_means_faster_now():
    before = result(row("a", 10.0, 11.0, 12.0), row("b", 10.0, 11.0, 12.0), row("c", 4.0))
    now = result(row("a", 22.0, 20.0, 24.0), row("b", 12.0, 12.1, 12.2), row("c", 2.0))
    found = changes(now, before)
    assert [found[name].ratio for name in "abc"] == [2.0, pytest.approx(1.1), 0.5]


def test_a_change_is_clear_only_where_no_samples_overlap():
    before = result(row("a", 10.0, 11.0), row("b", 10.0, 12.0))
    now = result(row("a", 8.0, 9.0), row("b", 11.9, 20.0))
    assert {name: change.clear for name, change in changes(now, before).items()} == {
        "a": True,
        "b": False,
    }
    assert str(changes(now, before)["b"]) == "~1.45×"


def test_only_rows_of_the_same_name_and_unit_are_compared_and_missing_rows_are_named():
    before = result(row("a", 1.0), row("b", 1.0), row("c", 1.0, unit="GFLOP"))
    now = result(row("a", 1.0), row("c", 1.0), row("d", 1.0))
    assert list(changes(now, before)) == ["a"]
    assert missing(now, before) == ["b"]


def test_the_table_names_every_row_with_its_figures(full):
    text = io.StringIO()
    before = result(row("part/x", 20.0, 30.0), row("gone", 1.0))
    show(full, before, Console(file=text))
    lines = {line.split()[0]: line.split() for line in text.getvalue().splitlines() if line.strip()}
    assert lines["part/x"][1:] == ["50", "20,000", "40%", "50%", "2.00×", "5", "messages/s"]
    assert lines["torch/x"][-1] == "new"
    assert lines["sgemm"][1:] == ["90", "GFLOP", "11,111", "new"]
    assert "not measured now: gone" in text.getvalue()


FOREIGN = {
    "no JSON": "hello",
    "no object": "[]",
    "another format": json.dumps({"format": "other", "machine": {}, "settings": {}, "rows": []}),
    "no samples": json.dumps(
        {"machine": {}, "settings": {}, "rows": [{"name": "a", "samples": []}]}
    ),
    "a speed of nothing": json.dumps(
        {"machine": {}, "settings": {}, "rows": [{"name": "a", "samples": [0]}]}
    ),
    "no text": "\udcff",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_format_is_one_clear_error_before_anything_is_measured(content, tmp_path):
    path = tmp_path / "former.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    outcome = CliRunner().invoke(main, ["--compare", str(path)])
    assert outcome.exit_code == 1
    assert outcome.output.startswith(
        f"Error: {path}: wanted a file that ssd-bench --json has written"
    )


def test_a_missing_file_is_one_clear_error(tmp_path):
    outcome = CliRunner().invoke(main, ["--compare", str(tmp_path / "none.json")])
    assert outcome.exit_code == 2
    assert "none.json' does not exist" in outcome.output


BAD_OPTIONS = {
    "unknown preset": (["--preset", "cleanup-mao"], "did you mean cleanup-moa?"),
    "bad setting": (["--preset", "cleanup-moa", "--set", "run.gamse=2"], "[run] gamse"),
    "no such part": (["--only", "spet/*"], "no part is called spet/*"),
    "no such folder": (["--json", "/nowhere/at/all.json"], "there is no folder /nowhere/at"),
    "no such preset to learn": (["--to-return", "cleanup-mao"], "did you mean cleanup-moa?"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_is_one_clear_error_before_anything_is_measured(arguments, message):
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code != 0
    assert message in outcome.output
    assert "Traceback" not in outcome.output
