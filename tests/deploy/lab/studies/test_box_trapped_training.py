"""A run of the study is trained once, and goes on where it was interrupted."""

import json
import os
import signal
import sys
import threading

import pytest

from ssd_lab.studies.box_trapped import training
from ssd_lab.studies.box_trapped.arms import ARMS, Trial
from ssd_lab.studies.box_trapped.training import TrainingError, is_trained, train
from ssd_run.presets import load_config
from ssd_wire.errors import RunFileError

TRIAL = Trial(ARMS["moa"], seed=3)
STEPS = 1000
FAKE = """#!{python}
import json, pathlib, signal, sys, time
words = sys.argv[1:]
run_dir = pathlib.Path(words[words.index("--run-dir") + 1])
with (run_dir.parent / "calls").open("a") as file:
    file.write(json.dumps(words) + "\\n")
def stop(*_):
    with (run_dir.parent / "signals").open("a") as file:
        file.write("SIGINT\\n")
    sys.exit(0)
signal.signal(signal.SIGINT, stop)
run_dir.mkdir(exist_ok=True)
(run_dir / "run.toml").write_text({run_file!r})
(run_dir.parent / "up").touch()
if {sleeps}:
    time.sleep(60)
(run_dir / "summary.json").write_text({summary!r})
"""


@pytest.fixture
def fake_train(tmp_path, monkeypatch):
    """Puts a program in the place of `ssd-train` that comes to this end at once."""

    def use(ended="complete", agent_steps=STEPS, sleeps=False, changed=()):
        config = load_config(TRIAL.arm.preset, ["run.seed=3", *changed])
        summary = json.dumps({"ended": ended, "agent_steps": agent_steps})
        program = tmp_path / "ssd-train"
        program.write_text(
            FAKE.format(
                python=sys.executable, run_file=config.toml(), sleeps=sleeps, summary=summary
            )
        )
        program.chmod(0o755)
        monkeypatch.setattr(training, "SSD_TRAIN", program)

    return use


def calls(out):
    return [json.loads(line) for line in (out / "runs" / "calls").read_text().splitlines()]


def test_a_run_is_started_with_the_preset_of_its_arm_its_seed_and_its_own_directory(
    tmp_path, fake_train
):
    fake_train()
    train(TRIAL, tmp_path, STEPS)
    run_dir = tmp_path / "runs" / "moa-3"
    expected = ["box-trapped-moa", "--seed", "3", "--steps", "1000", "--run-dir", str(run_dir)]
    assert calls(tmp_path) == [expected]


def test_a_run_counts_as_trained_only_when_it_has_ended_with_all_its_steps(tmp_path, fake_train):
    assert not is_trained(TRIAL, tmp_path, STEPS)
    fake_train()
    train(TRIAL, tmp_path, STEPS)
    assert is_trained(TRIAL, tmp_path, STEPS)
    assert not is_trained(TRIAL, tmp_path, STEPS + 1)
    assert not is_trained(Trial(ARMS["moa"], 4), tmp_path, STEPS)


def test_an_interrupted_run_is_resumed(tmp_path, fake_train):
    fake_train(ended="stopped", agent_steps=600)
    with pytest.raises(TrainingError, match=r"moa, seed 3: exit code 0; see .*moa-3\.log"):
        train(TRIAL, tmp_path, STEPS)
    assert not is_trained(TRIAL, tmp_path, STEPS)
    fake_train()
    train(TRIAL, tmp_path, STEPS)
    first, second = calls(tmp_path)
    assert second == [*first, "--resume"]


def test_a_run_with_other_settings_than_its_preset_is_refused(tmp_path, fake_train):
    fake_train(changed=["experiment.beta=7"])
    with pytest.raises(RunFileError, match=r"\[experiment\] beta: wanted 7.0, found 20.0"):
        train(TRIAL, tmp_path, STEPS)


def test_ctrl_c_reaches_the_run_once_and_stops_the_study_when_it_has_stopped(tmp_path, fake_train):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    fake_train(sleeps=True)

    def interrupt():
        while not (tmp_path / "runs" / "up").exists():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        train(TRIAL, tmp_path, STEPS)
    assert (tmp_path / "runs" / "signals").read_text() == "SIGINT\n"
