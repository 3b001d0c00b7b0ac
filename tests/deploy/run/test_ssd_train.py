"""`ssd-train` as its users meet it, with fake processes: start, end, stop, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.until import until

from ssd_run.cli import main
from ssd_wire.process.command import WholeNumber

LAUNCHER = """
import functools
import sys
import ssd_run.launch
from ssd_run.processes.programs import Program
from ssd_run.cli import main
behaviour = sys.argv.pop(1)
original = ssd_run.launch.all_programs
def all_programs(size, run_dir, sockets, **options):
    for program in original(size, run_dir, sockets, **options):
        command = (program.command[0], program.role, str(run_dir.root), behaviour)
        yield Program(program.role, "fake_run", command, program.numbered)
ssd_run.launch.all_programs = all_programs
ssd_run.launch.Spawner = functools.partial(ssd_run.launch.Spawner, preload="fake_run")
main()
"""


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Starts `ssd-train` with fake processes of a certain behaviour."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    started = []

    def start(behaviour, *arguments):
        sizes = "--set=run.games=16"  # the fake segments have 800 own-steps
        command = [sys.executable, "-c", LAUNCHER, behaviour, *arguments, sizes]
        directory = f"--run-dir={tmp_path / 'run'}"
        started.append(
            subprocess.Popen(
                [*command, directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield start
    for launcher in started:
        launcher.kill()
        launcher.communicate()


def until_all_are_up(root):
    until(lambda: len(list((root / "processes").glob("*.json"))) == 11)


def entry(tmp_path, role):
    path = tmp_path / "run" / "processes" / f"{role}.json"
    return json.loads(path.read_text()) if path.exists() else None


def name_of(pid):
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_run_ends_by_itself_when_all_learners_are_complete(launch, tmp_path):
    launcher = launch("completes", "cleanup-moa", "--steps=8000", "--seed=3")
    out, err = launcher.communicate(timeout=100)
    assert launcher.returncode == 0, err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["ended"] == "complete"
    assert (summary["agent_steps"], summary["updates"]) == (8000, [2] * 5)
    assert (summary["collective_return"], summary["equality"]) == (5.0, 1.0)
    assert (summary["segments"]["made"], summary["segments"]["trained"]) == (10, 10)
    assert set(summary["restarts"].values()) == {0}
    assert "10 made = 10 trained + 0 surplus + 0 lost: the account adds up" in out
    last = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert (last["agent_steps"], last["moa_loss_nats"]) == (8000, [1.5] * 5)
    assert (last["apples"], last["opened"]) == ([1.0] * 5, [None] * 5)
    assert "seed = 3" in (tmp_path / "run" / "run.toml").read_text()


def test_ctrl_c_stops_a_run_cleanly(launch, tmp_path):
    launcher = launch("obeys", "cleanup-moa")
    until_all_are_up(tmp_path / "run")
    launcher.send_signal(signal.SIGINT)
    out, err = launcher.communicate(timeout=100)
    assert launcher.returncode == 0, err
    assert "cleanup-moa: stopped" in out
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["killed"] == []


def test_prometheus_finds_the_processes_of_a_run_until_its_end(launch, tmp_path):
    folder = tmp_path / "targets"
    launcher = launch("obeys", "cleanup-moa", "--prometheus", str(folder))
    files = [tmp_path / "run" / "prometheus.json", folder / "run.json"]
    until(lambda: all(f.exists() and len(json.loads(f.read_text())) == 11 for f in files))
    targets = {one["labels"]["instance"]: one for one in json.loads(files[0].read_text())}
    assert targets["env-0"]["targets"] == [entry(tmp_path, "env-0")["metrics"]]
    assert targets["env-0"]["labels"]["run"] == "run"
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=100)
    assert not any(f.exists() for f in files)


def test_a_second_ctrl_c_kills_and_the_run_has_failed(launch, tmp_path):
    launcher = launch("stubborn", "cleanup-moa", "--stop-seconds=1000")
    until_all_are_up(tmp_path / "run")
    launcher.send_signal(signal.SIGINT)
    assert any("stopping actors" in line for line in launcher.stdout)
    launcher.send_signal(signal.SIGINT)
    out, _ = launcher.communicate(timeout=100)
    assert launcher.returncode == 1
    assert "still running" in out
    assert len(json.loads((tmp_path / "run" / "summary.json").read_text())["killed"]) == 11


def test_a_process_that_cannot_run_ends_the_run_with_the_end_of_its_log(launch, tmp_path):
    launcher = launch("refuses", "cleanup-moa")
    _, err = launcher.communicate(timeout=100)
    assert launcher.returncode == 1
    assert "learner-1 cannot go on (exit code 78)" in err
    assert err.rstrip().endswith("error: no such device")
    assert "failed" in json.loads((tmp_path / "run" / "summary.json").read_text())["ended"]


def test_a_killed_fork_server_does_not_end_the_run(launch, tmp_path):
    launcher = launch("obeys", "cleanup-moa")
    until_all_are_up(tmp_path / "run")
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    (fork_server,) = (int(pid) for pid in children if name_of(pid) == "ssd-fork-server")
    victim = entry(tmp_path, "actor-0-2")
    os.kill(fork_server, signal.SIGKILL)
    os.kill(victim["pid"], signal.SIGKILL)
    until(lambda: entry(tmp_path, "actor-0-2") not in (victim, None))
    launcher.send_signal(signal.SIGINT)
    _, err = launcher.communicate(timeout=100)
    assert launcher.returncode == 0, err
    restarts = json.loads((tmp_path / "run" / "summary.json").read_text())["restarts"]
    assert {role: times for role, times in restarts.items() if times} == {"actor-0-2": 1}


def test_sockets_are_deleted_at_the_end_of_a_run(launch, tmp_path, monkeypatch):
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    launcher = launch("completes", "cleanup-moa")
    launcher.communicate(timeout=100)
    assert launcher.returncode == 0
    assert list((tmp_path / "t").iterdir()) == []


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "which PRESET?"),
        (["--resume"], 2, "--resume needs the --run-dir of the run to continue"),
        (["clenup-moa"], 78, "did you mean cleanup-moa?"),
        (["cleanup-moa", "--set", "learning.gama=1"], 78, "[learning] gama"),
        (["cleanup-moa", "--set", "nonsense"], 78, "wanted section.key=value"),
        (["cleanup-moa", "--steps", "0"], 2, "--steps"),
        (["cleanup-moa", "--steps", "1e-6"], 2, "wanted a whole number from 1, as 5000000 or 5e6"),
        (["cleanup-moa", "--steps", "nan"], 2, "wanted a whole number from 1"),
        (["cleanup-moa", "--stop-seconds", "-4"], 2, "--stop-seconds: wanted at least 0, found -4"),
        (["cleanup-moa", "--stop-seconds", "nan"], 2, "--stop-seconds: wanted at least 0"),
        (
            ["cleanup-moa", "--deterministic", "--arenas", "2"],
            78,
            "a deterministic run: wanted one arena, found 2",
        ),
        (
            ["cleanup-moa", "--deterministic", "--device", "cpu,cuda:1"],
            78,
            "a deterministic run: wanted --device cpu, found cuda:1",
        ),
        (["cleanup-moa", "--device", "gpu"], 2, "wanted cpu, cuda or cuda:INDEX, found 'gpu'"),
        (["cleanup-moa", "--slurm"], 2, "--slurm: wanted a Slurm job, found none"),
    ],
)
def test_invalid_options_are_refused_with_a_message_and_leave_no_files(
    arguments, code, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == code
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cpu,cuda:99"], "--device cuda:99: wanted a CUDA device of this number"),
        (["--set", "network.kind=no_such:Net"], "[network] no_such:Net: wanted a subclass of"),
    ],
    ids=["a device that is not there", "a network that cannot be imported"],
)
def test_errors_that_need_torch_are_reported_before_a_run_directory_exists(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = invoke("cleanup-moa", *arguments)
    assert result.exit_code == 78
    assert result.output.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_the_launcher_imports_no_heavy_library():
    heavy = "{'torch', 'numba', 'zmq', 'matplotlib'} & set(sys.modules)"
    command = [sys.executable, "-c", f"import sys, ssd_run.cli; print({heavy} or 'light')"]
    assert subprocess.check_output(command, text=True) == "light\n"


def test_a_run_directory_in_use_is_refused(run_dir):
    result = invoke("cleanup-moa", "--run-dir", run_dir.root)
    assert result.exit_code == 2
    assert "exists already" in result.output
    result = invoke("--resume", "--run-dir", run_dir.root)
    assert result.exit_code == 78
    assert "in use by another process" in result.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["harvest-moa"], "[game] name: wanted 'cleanup', found 'harvest'"),
        (["--seed", "9"], "[run] seed: wanted 1, found 9"),
        (["--set", "experiment.beta=1.5"], "[experiment] beta: wanted 0.62, found 1.5"),
    ],
)
def test_resume_refuses_settings_that_contradict_the_run(run_dir, arguments, named):
    run_dir.close()
    result = invoke("--resume", "--run-dir", run_dir.root, *arguments)
    assert result.exit_code == 78
    assert named in result.output


def test_resume_refuses_a_run_file_that_was_edited(run_dir):
    run_dir.close()
    text = run_dir.run_file.read_text()
    run_dir.run_file.write_text(text.replace("seed = 1\n", "seed = 2\n"))
    result = invoke("--resume", "--run-dir", run_dir.root)
    assert result.exit_code == 78
    assert "has been edited" in result.output
    assert "[run] seed: wanted 1, found 2" in result.output


def test_resume_refuses_a_run_of_another_protocol_before_anything_is_started(run_dir):
    run_dir.close()
    before = '{"event": "launch", "arenas": 1, "protocol": 1}\n'
    run_dir.history.write_text(before)
    result = invoke("--resume", "--run-dir", run_dir.root)
    assert result.exit_code == 78
    assert "it was made with protocol version 1, and this ssd-train has version" in result.output
    assert run_dir.history.read_text() == before
    assert list(run_dir.logs.iterdir()) == []


def test_a_run_that_has_all_its_steps_has_nothing_to_do(run_dir):
    run_dir.close()
    run_dir.summary.write_text(json.dumps({"own_steps": [1600, 2400, 1600, 1600, 1600]}))
    result = invoke("--resume", "--run-dir", run_dir.root, "--steps", "8e3")
    assert result.exit_code == 0
    assert result.output == (
        f"nothing to do: 8,800 of 8,000 agent-steps are trained in {run_dir.root}\n"
    )
    assert not run_dir.history.exists()


@pytest.mark.parametrize(
    ("written", "number"), [("1e6", 1_000_000), ("2.5E3", 2500), ("7", 7), (9, 9)]
)
def test_a_whole_number_may_be_written_with_an_exponent(written, number):
    assert WholeNumber().convert(written, None, None) == number


def test_print_shows_a_run_file_that_is_itself_a_preset(tmp_path):
    shown = CliRunner().invoke(main, ["harvest-moa", "--print", "--set", "run.games=3"])
    assert shown.exit_code == 0

    own = tmp_path / "own.toml"
    own.write_text(shown.output)
    again = CliRunner().invoke(main, [str(own), "--print"])

    assert "games = 3" in shown.output
    assert again.output == shown.output
