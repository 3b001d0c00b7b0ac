"""`ssd-load` as its users meet it, at real learners."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from ssd_lab.load import cli, fanout
from ssd_lab.load.target import started
from ssd_lab.plan import validate
from ssd_lab.presets import load_preset
from ssd_wire.process import CONFIGURATION_ERROR
from ssd_wire.runfile import override

SMALL = (
    "game.agents=2",
    "game.horizon=100",
    "run.games=4",
    "run.segment=10",
    "learning.horizon=10",
)
SETS = tuple(word for value in SMALL for word in ("--set", value))
SHORT = ("--seconds", "0.5", "--repeats", "2")


@pytest.fixture
def load():
    """Runs the command here, where torch is loaded, and undoes what it does to signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*words, command=cli.main):
        return CliRunner().invoke(command, [str(word) for word in words])

    yield run
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def rows(path):
    return json.loads(path.read_text())["rows"]


def test_every_segment_made_is_trained_and_the_figures_are_written(load, tmp_path):
    done = load(*SETS, *SHORT, "--actors", "1,3", "--json", tmp_path / "load.json")
    assert done.exit_code == 0, done.stderr
    one, three = rows(tmp_path / "load.json")
    assert [one["actors"], three["actors"]] == [1, 3]
    for row in (one, three):
        account, figures = row["account"], row["figures"]
        assert row["settled"]
        assert account["faults"] == []
        assert account["made"] == account["trained"] > 0
        assert account["surplus"] == account["lost"] == account["left"] == 0
        assert 0 < figures["busy_share"] <= 1.05
        assert figures["updates_per_second"] > 0
        steps = figures["own_steps_per_second"] / figures["segments_per_second"]
        assert steps == pytest.approx(40, rel=0.5)


def test_ingest_only_takes_everything_and_counts_it(load, tmp_path):
    done = load(*SETS, *SHORT, "--actors", 2, "--ingest-only", "--json", tmp_path / "ingest.json")
    assert done.exit_code == 0, done.stderr
    [row] = rows(tmp_path / "ingest.json")
    assert row["account"]["made"] == row["account"]["trained"] > 0
    assert row["settled"]


@pytest.fixture
def running(tmp_path):
    """A learner in a run directory, with its run file."""
    plan = validate(override(load_preset("cleanup-moa"), SMALL))
    with started(plan, 1, tmp_path, "ssd_learner.cli") as target:
        yield target


def test_a_learner_that_runs_already_is_loaded_and_what_exceeds_its_budget_is_surplus(
    load, tmp_path
):
    run_file, run_dir = tmp_path / "run.toml", tmp_path / "by-hand"
    run_file.write_text(validate(override(load_preset("cleanup-moa"), SMALL)).toml())
    learner = subprocess.Popen(
        [
            *(sys.executable, "-m", "ssd_learner.cli", "--agent", "0", "--own-steps", "400"),
            *("--run", run_file, "--run-dir", run_dir, "--checkpoints", tmp_path / "checkpoints"),
            *("--bind", "tcp://127.0.0.1:0", "--weights", "tcp://127.0.0.1:0"),
        ]
    )
    try:
        _wait_for(run_dir / "processes" / "learner-0.json")
        done = load(
            *("--preset", run_file, "--at", run_dir, "--json", tmp_path / "load.json"),
            *(*SHORT, "--actors", 2),
        )
        assert learner.poll() is None  # it goes on
    finally:
        learner.terminate()
        learner.wait(60)
    assert done.exit_code == 0, done.stderr
    account = rows(tmp_path / "load.json")[0]["account"]
    assert account["trained"] == 400 / 40
    assert account["made"] == account["trained"] + account["surplus"]
    assert account["surplus"] > 0


def test_a_learner_of_another_run_refuses_the_crowd(load, running):
    done = load(*SETS, *SHORT, "--games", 3, "--agent", 1, "--at", running.run_dir)
    assert done.exit_code == CONFIGURATION_ERROR
    assert "another run" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--preset", "nonsense"), "no preset is called 'nonsense'"),
        (("--agent", "9"), "wanted an agent of 0 to 4, found 9"),
        (("--actors", "1,two"), "wanted numbers separated by commas, found '1,two'"),
        (("--actors", "0"), "wanted numbers of at least 1, found '0'"),
        (("--games", "0"), "0 is not in the range"),
        (("--set", "run.games"), "wanted section.key=value"),
        (("--set", "run.games=0"), "[run] games"),
        (("--rate", "0"), "0.0 is not in the range"),
        (("--seconds", "0"), "--seconds: wanted more than 0"),
        (("--seconds", "nan"), "--seconds: wanted more than 0"),
        (("--at", "nowhere", "--ingest-only"), "--at names another"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, tuple) else "",
)
def test_what_cannot_be_is_refused_in_words(words, said):
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code not in (0, 1)
    assert said in result.output


def test_where_no_learner_runs_there_is_none_to_load(load, tmp_path):
    done = load("--at", tmp_path)
    assert done.exit_code == CONFIGURATION_ERROR
    assert "wanted a running learner's entry" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_subscribers_hear_every_version_that_is_published(load, tmp_path):
    done = load(
        *("--subscribers", "1,3", "--seconds", "0.3", "--json", tmp_path / "fanout.json"),
        command=fanout.main,
    )
    assert done.exit_code == 0, done.stderr
    one, three = rows(tmp_path / "fanout.json")
    assert one["frame_bytes"] == three["frame_bytes"] > 1_000_000
    assert 0 < one["send_microseconds"] <= one["cpu_microseconds"] * 1.5


def _wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"never there: {path}"
        time.sleep(0.05)
