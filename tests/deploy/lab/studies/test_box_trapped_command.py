"""One command does it all, and given again it does what is left."""

import pytest
from click.testing import CliRunner

from ssd_lab.studies.box_trapped import __main__ as study
from ssd_lab.studies.box_trapped.tables import EpisodeRow, read_rows
from ssd_lab.studies.box_trapped.training import TrainingError

ARGUMENTS = ("--arms", "moa,a3c", "--seeds", "1,2", "--episodes", "2", "--steps", "800")


class Training:
    """Stands in for training: takes no time, and teaches nothing.

    Attributes:
        begun: names of the runs, in the order in which they were started or resumed.
        interrupted: runs that the user will stop, once each.
    """

    def __init__(self, saved_run):
        self.begun = []
        self.interrupted = []
        self._done = set()
        self._saved_run = saved_run

    def train(self, trial, out, steps):
        assert steps == 800
        name = str(trial.run_dir(out).relative_to(out))
        self.begun.append(name)
        if name in self.interrupted:
            self.interrupted.remove(name)
            raise KeyboardInterrupt
        self._saved_run(trial.arm.preset, "game.horizon=9", f"run.seed={trial.seed}", name=name)
        self._done.add(trial)

    def is_trained(self, trial, *_):
        return trial in self._done


@pytest.fixture
def training(saved_run, monkeypatch):
    fake = Training(saved_run)
    monkeypatch.setattr(study, "train", fake.train)
    monkeypatch.setattr(study, "is_trained", fake.is_trained)
    return fake


def invoke(out, *arguments):
    return CliRunner().invoke(study.main, ["--out", str(out), *ARGUMENTS, *arguments])


ALL = ["runs/moa-1", "runs/a3c-1", "runs/moa-2", "runs/a3c-2"]


def test_the_command_trains_evaluates_writes_tables_and_figures_and_prints_the_summary(
    tmp_path, training
):
    outcome = invoke(tmp_path)
    assert outcome.exit_code == 0, outcome.output
    assert training.begun == ALL
    rows = read_rows(tmp_path / "episodes.csv", EpisodeRow)
    assert [(row.arm, row.seed) for row in rows[::2]] == [
        ("moa", 1),
        ("a3c", 1),
        ("moa", 2),
        ("a3c", 2),
    ]
    for name in ("figure-12.png", "figure-13.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "| influence, by MOA |" in outcome.output


def test_the_same_command_continues_where_it_was_stopped(tmp_path, training):
    training.interrupted.append("runs/moa-2")
    stopped = invoke(tmp_path)
    assert stopped.exit_code == 130
    assert "stopped; the same command continues" in stopped.output
    assert not (tmp_path / "episodes.csv").exists()
    assert invoke(tmp_path).exit_code == 0
    assert training.begun == [*ALL[:3], *ALL[2:]]


@pytest.mark.usefixtures("training")
def test_the_figures_need_only_the_tables(tmp_path):
    assert invoke(tmp_path).exit_code == 0
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("episodes.csv", "steps.csv", "trajectories.csv"):
        (tmp_path / name).rename(alone / name)
    study.draw(alone)
    assert (alone / "figure-12.png").stat().st_size > 10_000
    assert (alone / "figure-13.png").stat().st_size > 10_000


def test_a_run_that_fails_ends_the_study_with_its_name(tmp_path, monkeypatch):
    def train(*_):
        raise TrainingError("moa, seed 1: exit code 78; see its log")

    monkeypatch.setattr(study, "train", train)
    outcome = invoke(tmp_path)
    assert outcome.exit_code == 1
    assert "moa, seed 1: exit code 78" in outcome.output


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--arms", "moa,luck"), "found luck"),
        (("--seeds", "1,x"), "wanted numbers with commas"),
        (("--steps", "0"), "wanted a whole number from 1"),
        (("--episodes", "0"), "wanted a whole number from 1"),
    ],
    ids=["no arm", "no seed", "no steps", "no episodes"],
)
def test_an_unknown_arm_or_invalid_seed_is_refused(tmp_path, wrong, message):
    outcome = invoke(tmp_path, *wrong)
    assert outcome.exit_code == 2
    assert message in outcome.output
