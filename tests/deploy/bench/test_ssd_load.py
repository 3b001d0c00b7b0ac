"""`ssd-load` as its users meet it, at real learners."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile

import pytest
from click import ClickException
from click.testing import CliRunner

from ssd_bench.load import main
from ssd_bench.processes import running
from ssd_bench.results.rows import read
from ssd_run.presets import load_config
from ssd_run.processes.socket_directory import SHORT

SMALL = (
    "game.agents=2",
    "game.horizon=100",
    "run.games=4",
    "run.segment=10",
    "learning.horizon=10",
)
SETS = tuple(word for value in SMALL for word in ("--set", value))


@pytest.mark.timeout(300)
def test_every_segment_made_is_trained_and_the_figures_are_written(tmp_path):
    command = [
        sys.executable,
        "-m",
        "ssd_bench.load",
        *SETS,
        "--actors=1",
        "--actors=3",
        "--seconds=0.5",
    ]
    command += ["--repeats=2", f"--json={tmp_path / 'load.json'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr  # that is: none was lost
    rows = read(tmp_path / "load.json").rows
    assert [row.name for row in rows] == [f"load/cleanup-moa/{n}-actors" for n in (1, 3)]
    for row in rows:
        assert len(row.samples) == 2
        assert 0 < statistics.median(row.also["in updates"]) <= 1.05
        assert min(row.also["updates/s"]) > 0
        assert row.also["segments/s"][0] == pytest.approx(row.samples[0] / 40)
        assert row.name in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "nonsense"), "no preset is called 'nonsense'"),
        (("--agent", "9"), "wanted an agent of 0 to 4, found 9"),
        (("--actors", "two"), "'two' is not a valid integer"),
        (("--actors", "0"), "0 is not in the range"),
        (("--repeats", "0"), "0 is not in the range"),
        (("--set", "run.games"), "wanted section.key=value"),
        (("--set", "run.games=0"), "[run] games"),
        (("--seconds", "0"), "--seconds: wanted more than 0"),
        (("--seconds", "nan"), "--seconds: wanted more than 0"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, tuple) else "",
)
def test_invalid_options_are_refused_with_a_message(words, message):
    result = CliRunner().invoke(main, words)
    assert result.exit_code not in (0, 1)
    assert message in result.output


@pytest.mark.timeout(300)
def test_the_log_of_a_learner_that_does_not_start_is_shown():
    config = load_config("cleanup-moa", [*SMALL, "network.kind=no_such:Net"])
    refused = pytest.raises(
        ClickException, match=r"(?s)cannot use .*\[network\] no_such:Net: wanted"
    )
    with refused, running(config, "learner-0"):
        pass


@pytest.mark.timeout(300)
def test_a_tmpdir_too_long_for_sockets_is_replaced_by_a_short_directory(tmp_path, monkeypatch):
    long = tmp_path / ("t" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with running(load_config("cleanup-moa", SMALL), "learner-0") as learner:
        assert learner["segments"].startswith(f"ipc://{SHORT}/ssd-")
